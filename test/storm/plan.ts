import { randomFrom } from '../support/random.js';

/** What can be asked of the application, and how often each is. The name is the path. */
const KINDS = {
  json: 6,
  plain: 2,
  filtered: 3,
  transaction: 4,
  file: 3,
  readable: 3,
  generator: 3,
  'by-hand': 3,
  sse: 3,
  timeout: 2,
  unawaited: 2,
  fresh: 2,
  'try-acquire': 2,
  use: 2,
  own: 2,
  middleware: 2,
} as const;
export type Kind = keyof typeof KINDS;
export const ALL_KINDS = Object.keys(KINDS) as Kind[];

/** Answered with a body that takes its time; it may break off when the backend is killed under it. */
export const STREAMED: readonly Kind[] = ['file', 'readable', 'generator', 'by-hand', 'sse'];
const WITH_HEAD: readonly Kind[] = ['file', 'readable', 'generator'];
/** Their answer has a length, which is all that a pipelining client of ours can read. */
const PIPELINED: readonly Kind[] = ['json', 'plain', 'filtered', 'timeout', 'fresh', 'use', 'middleware'];

/** Where a client leaves. `asking` is the moment before the borrow: with a busy pool it then leaves the queue. */
export const LEAVING = [
  'before the request',
  'half a head',
  'half a body',
  'asking',
  'holding',
  'some time',
  'head',
  'first bytes',
  'half-way',
  'end',
] as const;
export type Leaving = (typeof LEAVING)[number];
/** Those that a client who pipelines can tell apart. */
const LEAVING_PIPELINED: readonly Leaving[] = ['asking', 'holding', 'some time', 'end'];

const FAILURES = ['before', 'after', 'sql'] as const;
export type Failure = (typeof FAILURES)[number];
const TRACES = ['setting', 'table', 'transaction', 'listen'] as const;
export type Trace = (typeof TRACES)[number];

/** One request, as it was planned before it is known how it will go. */
export interface Visit {
  readonly id: number;
  readonly kind: Kind;
  readonly method: 'GET' | 'POST' | 'HEAD';
  /** Borrowed three services below the handler, not by its parameter. */
  readonly deep: boolean;
  /** On a connection that was used before and will be again. */
  readonly kept: boolean;
  readonly leaves: Leaving | undefined;
  /** Milliseconds until it leaves, or gives up on its handler. */
  readonly patience: number;
  readonly fails: Failure | undefined;
  /** What it leaves behind in its session. */
  readonly trace: Trace | undefined;
  readonly rows: number;
}

/** All requests of a round, those that are pipelined on one connection together. The same for the same seed. */
export function plan(requests: number, seed: number, firstId: number): Visit[][] {
  const random = randomFrom(seed);
  const chance = (p: number): boolean => random() < p;
  const below = (n: number): number => Math.floor(random() * n);
  const oneOf = <V>(values: readonly V[]): V => values[below(values.length)]!;
  const lots = ALL_KINDS.flatMap(kind => Array<Kind>(KINDS[kind]).fill(kind));

  let nextId = firstId;
  const visit = (kind: Kind, leaves: Leaving | undefined): Visit => ({
    id: nextId++,
    kind,
    method: kind === 'transaction' ? 'POST' : WITH_HEAD.includes(kind) && chance(0.1) ? 'HEAD' : 'GET',
    deep: chance(0.5),
    kept: chance(0.6),
    leaves,
    patience: below(15),
    fails: kind === 'filtered' || chance(0.12) ? oneOf(FAILURES) : undefined,
    trace: chance(0.15) ? oneOf(TRACES) : undefined,
    rows: chance(0.03) ? 1_000 : 5 + below(40),
  });

  const alone = (): Visit => {
    const leaves = chance(0.35) ? oneOf(LEAVING) : undefined;
    // Only a POST has a body.
    return visit(leaves === 'half a body' ? 'transaction' : oneOf(lots), leaves);
  };

  const parties: Visit[][] = [];
  for (let planned = 0; planned < requests;) {
    const party = chance(0.05)
      ? Array.from({ length: 2 + below(4) }, () =>
          visit(oneOf(PIPELINED), chance(0.1) ? oneOf(LEAVING_PIPELINED) : undefined),
        )
      : [alone()];
    parties.push(party);
    planned += party.length;
  }
  return parties;
}
