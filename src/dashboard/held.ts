import { LONG, quantileOf, sum, type Diagnosis, type Facts, type Holding } from './facts.js';
import { commonOf, routeOf, shapeOf } from './route.js';
import { framesOf, placeOf } from './who.js';
import { duration, many } from './words.js';

/** Of what those who wait compete for, so much has to be held for long before that is why they wait. */
const MUCH = 0.25;
/** Less likely than that is no chance. */
const UNLIKELY = 0.1;

/** Some hold for long: is it one, or is it everybody? */
export function held(facts: Facts): Diagnosis | undefined {
  const { now, before, recent, pressed, stage } = facts;
  const { backend } = now;
  const usual = quantileOf(before, 'holdMs');
  const limit = Math.max(LONG, 5 * (usual ?? 0));
  const inTheWay = stage.holders.filter(one => one.heldMs >= limit);
  const serious = pressed !== undefined && inTheWay.length > 0 && inTheWay.length >= MUCH * stage.max;
  // A hold that is long and keeps nobody waiting may be what it is for.
  const long = serious ? inTheWay : now.leaks;
  if (long.length === 0) return undefined;

  const groups = groupsOf(long);
  const [top] = groups as [Group, ...Group[]];
  const named = groups.filter(({ who }) => who !== undefined);
  const longestMs = Math.max(...long.map(one => one.heldMs));
  const longest = `the longest for ${duration(longestMs)}`;
  const count = `${many(long.length, 'resource is held', 'resources are held')}${stage.whose}`;
  const share = top.count / long.length;
  const others = now.known.filter(({ who }) => !top.routes.has(who));

  // Where one route is most of all work, it is most of what is stuck, too.
  const isAll = now.known.every(({ who }) => groups.some(({ routes }) => routes.has(who)));
  if (named.length >= 2 && (share <= 0.6 || isAll)) {
    const everybody = named.length >= 3 || isAll;
    const names = named.slice(0, 3).map(({ who }) => who);
    return {
      verdict: everybody ? 'slow' : 'unsure',
      serious,
      title: everybody ? `Slow ${backend}` : `A slow ${backend}, or code that holds for too long`,
      text:
        `${count} for long at the same time by ${named.length} different borrowers (${names.join(', ')}${named.length > 3 ? ', …' : ''}), ${longest}` +
        `${usual === undefined ? '' : `; usual are ${duration(usual)}`}.`,
      next: `They have only the ${backend} in common: look at its load, its locks and its slow queries.`,
    };
  }
  if (top.who === undefined) {
    return {
      verdict: 'unsure',
      serious,
      title: 'Held for long, by whom is not known',
      text: `${count} for long, ${longest}. Nobody has said who borrows, and no stack was kept: code that holds and a slow ${backend} look alike.`,
      next: 'Set leakThreshold for this pool: then stacks are shown here.',
    };
  }
  const ofTop = `${top.count === long.length ? count : `${count} for long, ${top.count} of them`} by ${top.who}, ${longest}`;
  const unlike = serious ? isUnlike(facts, top, longestMs, limit) : others.length > 0;
  if (others.length === 0 || !unlike) {
    const returned = sum(recent, 'released');
    const comesBack =
      returned === 0
        ? `Nothing has come back in the last ${recent.length} s`
        : `${many(returned, 'resource', 'resources')} came back in the last ${recent.length} s`;
    return {
      verdict: now.leaks.length > 0 && others.length === 0 ? 'held' : 'unsure',
      serious,
      title: `Held for long by ${top.who}`,
      text: `${ofTop}. ${comesBack}. ${others.length === 0 ? 'Nobody else borrows here' : 'Of others too little was seen meanwhile'}, so it cannot be compared.`,
      next: `${returned === 0 && now.leaks.length > 0 ? 'A way through this code that does not give back looks like that. ' : ''}Does it wait for the ${backend}, or for something else while it holds? Its stack and the ${backend}'s list of running statements tell.`,
    };
  }
  return {
    verdict: 'held',
    serious,
    title: `Held too long by ${top.who}`,
    text: `${ofTop}. ${many(others.length, 'other borrower does', 'other borrowers do')} not: the ${backend} is not what they wait for.`,
    next:
      'Look for a way through this code that does not give back, or that waits for something else while it holds. The stack below, if ' +
      'there is one, says where. If it has to hold for so long, give it a pool of its own.',
  };
}

/**
 * Is it more than chance that these are the ones who hold? Either others have come and gone meanwhile, and not slowly; or it is so
 * small a part of all who borrow that a slow backend would have caught others too.
 */
function isUnlike({ history, now, stage }: Facts, top: Group, longestMs: number, limit: number): boolean {
  // In the second in which the oldest of them has begun, others were still as quick as ever.
  const meanwhile = longestMs < 3_000 ? [] : history.slice(1 - Math.floor(longestMs / 1_000));
  const passed = sum(meanwhile, 'released');
  const oldest = stage.holders.filter(({ heldMs }) => heldMs >= longestMs - 1_000).length;
  const heldMs = 1_000 * (sum(meanwhile, 'leased') - oldest * meanwhile.length);
  if (passed > 0 && heldMs / passed < limit / 2) return true;
  // Those who are stuck tell nothing of how large a part they are otherwise.
  const stuck = top.count - 1;
  const all = now.known.reduce((total, { holds }) => total + holds, 0) - stuck;
  const its =
    now.known.reduce((total, { who, holds }) => total + (top.routes.has(who) ? holds : 0), 0) - stuck;
  return (Math.max(1, its) / Math.max(1, all)) ** top.count <= UNLIKELY;
}

interface Group {
  /** In a word: a route, or a place in the code. */
  who: string | undefined;
  count: number;
  readonly routes: Set<string>;
  readonly keys: Set<string>;
}

/** By route, and by place in the code; the largest first. */
function groupsOf(long: readonly Holding[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { who, stack } of long) {
    const route = who === undefined ? undefined : routeOf(who);
    const place = stack === undefined ? undefined : framesOf(stack).join('\n');
    const keys = [`who ${route}`, ...(place === undefined ? [] : [`at ${shapeOf(route)}\n${place}`])];
    const [group = noGroup(), ...others] = new Set(keys.flatMap(key => groups.get(key) ?? []));
    group.count++;
    if (route !== undefined) group.routes.add(route);
    for (const key of keys) group.keys.add(key);
    for (const other of others) {
      group.count += other.count;
      for (const each of other.routes) group.routes.add(each);
      for (const key of other.keys) group.keys.add(key);
    }
    const [first, ...rest] = group.routes;
    group.who = rest.length === 0 ? first : (commonOf([...group.routes]) ?? placeOf(stack) ?? first);
    for (const key of group.keys) groups.set(key, group);
  }
  return [...new Set(groups.values())].sort((a, b) => b.count - a.count);
}

function noGroup(): Group {
  return { who: undefined, count: 0, routes: new Set(), keys: new Set() };
}
