const UUID = /^[\da-f]{8}-?(?:[\da-f]{4}-?){3}[\da-f]{12}$/i;
/** `188`, `188.json`, `order-188`, `#188`. */
const NUMBER = /^(?:\w+[-_=:#]|#)?\d+(?:\.\w{1,5})?$/;
/** Of a hash, or as MongoDB numbers its documents. */
const HEX = /^(?=.*\d)[\da-f]{8,}$/i;
const DATE = /^\d{4}-\d\d-\d\d/;
/** A ULID, a nanoid, a token: letters and digits without a word in it. */
const TOKEN = /^(?=.*\d)(?=.*[a-z])[\w-]{16,}$/i;
const MAIL = /^[^@]+(?:@|%40)[^@]+$/;

/** In front of a path. */
const ROUTE = /^([A-Z]+) (\/.*)$/;

/** Whoever differs only in what is asked for is one: `GET /orders/188` and `GET /orders/189` are both `GET /orders/:id`. */
export function routeOf(who: string): string {
  return who.replace(/[^/\s]+/g, part => (isId(part) ? ':id' : part));
}

function isId(part: string): boolean {
  return [NUMBER, UUID, HEX, DATE, TOKEN, MAIL].some(pattern => pattern.test(part));
}

/**
 * What two that acquire at the very same place in the code must have in common to be the same route, such as `GET /teas/earl-grey`
 * and `GET /teas/assam`. A transaction around every route acquires for all of them at one place: that alone says nothing.
 */
export function shapeOf(who: string | undefined): string {
  const [, method, path = ''] = ROUTE.exec(who ?? '') ?? [];
  if (method === undefined) return '';
  const segments = path.split('/');
  // Of one segment all is the name.
  return segments.length < 3 ? `${method} ${path}` : `${method} ${segments[1]} ${segments.length}`;
}

/** What routes of one shape have in common; undefined where they are no routes. */
export function commonOf(routes: readonly string[]): string | undefined {
  const [first = '', ...rest] = routes;
  if (!ROUTE.test(first)) return undefined;
  const others = rest.map(route => route.split('/'));
  return first
    .split('/')
    .map((part, i) => (others.every(other => other[i] === part) ? part : ':id'))
    .join('/');
}
