import type { ExecutionContext } from '@nestjs/common';

/** Where the code of a message can be. */
export type PlaceInMessage =
  /** In the guard, when nothing has been borrowed. */
  'before' | 'guard' | 'pipe' | 'interceptor' | 'deferred' | 'handler' | 'half' | 'after' | 'last' | 'filter';

/** What a message wants to happen to it. All transports send it as JSON. */
export interface Order {
  /** Of this message; the places that it comes to are known by it. */
  readonly id: string;
  /** Where it borrows, besides the handler, which always does. */
  readonly uses?: readonly PlaceInMessage[];
  /** Where it stops until the test lets it go on. */
  readonly stops?: readonly PlaceInMessage[];
  /** Where it throws; that is filtered. */
  readonly throws?: PlaceInMessage;
  readonly refused?: true;
  /** What the interceptor does besides. */
  readonly interceptor?: 'gives up' | 'retries' | 'announces' | 'defers' | 'shares' | 'concludes';
  /** What the handler returns; a promise of a value, unless it says otherwise. */
  readonly returns?: Returned;
  readonly pool?: 'full' | 'down';
  readonly key?: string;
}

/** Observables: of two values; one that fails after the first; of none; that borrows when it is subscribed to; without end. */
export type Returned = 'two' | 'half' | 'none' | 'lazy' | 'endless';

/** Over HTTP in the body, in GraphQL an argument, in gRPC a message with JSON in it. */
export function orderOf(given: unknown): Order | undefined {
  if (typeof given === 'string') return given.startsWith('{') ? (JSON.parse(given) as Order) : undefined;
  if (typeof given !== 'object' || given === null) return undefined;
  // A request of Fastify has an id of its own.
  const { id, body, order, json } = given as Record<string, unknown>;
  const inner = body ?? order ?? json;
  if (inner !== undefined) return orderOf(inner);
  return typeof id === 'string' ? (given as Order) : undefined;
}

export function orderIn(context: Pick<ExecutionContext, 'getArgs' | 'getType'>): Order {
  const args = context.getArgs<unknown[]>();
  const places = { http: 0, rpc: 0, ws: 1, graphql: 1 } as Readonly<Record<string, number>>;
  const order = orderOf(args[places[context.getType<string>()] ?? 0]);
  if (!order) throw new Error('a message without an order');
  return order;
}
