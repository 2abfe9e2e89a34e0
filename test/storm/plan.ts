import { randomFrom } from '../support/random.js';
import { ALL_KINDS, factsOf, isMessage, kindsThat, type Kind } from './kinds.js';

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
/** Those of a client that sends messages. */
const LEAVING_MESSAGES: readonly Leaving[] = [
  'before the request',
  ...LEAVING_PIPELINED,
  'first bytes',
  'half-way',
];
/** Those at which a client leaves for certain, whatever comes of its request. */
const LEAVING_EARLY: readonly Leaving[] = ['asking', 'holding', 'some time', 'head', 'first bytes'];

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
  const lots = ALL_KINDS.flatMap(kind => Array<Kind>(factsOf(kind).often).fill(kind));
  let deck: Kind[] = [];
  /** Drawn without being put back until there is none left: by chance alone some kind would hardly come. */
  const draw = (): Kind => {
    if (deck.length === 0) deck = [...lots];
    return deck.splice(below(deck.length), 1)[0]!;
  };
  /** What goes over one connection at the same time. */
  const shared = [
    kindsThat('pipelined'),
    ALL_KINDS.filter(kind => factsOf(kind).under === 'ws'),
    ALL_KINDS.filter(kind => factsOf(kind).under === 'rpc'),
  ];

  let nextId = firstId;
  const visit = (kind: Kind, leaves: Leaving | undefined): Visit => {
    const { post, head, endless, tidy } = factsOf(kind);
    return {
      id: nextId++,
      kind,
      method: post ? 'POST' : head && chance(0.1) ? 'HEAD' : 'GET',
      deep: chance(0.5),
      kept: chance(0.6),
      leaves: endless ? oneOf(LEAVING_EARLY) : leaves,
      patience: below(15),
      fails: ['filtered', 'rpc-filtered'].includes(kind) || chance(0.12) ? oneOf(FAILURES) : undefined,
      trace: chance(0.15) && !tidy ? oneOf(TRACES) : undefined,
      rows: chance(0.03) ? 1_000 : 5 + below(40),
    };
  };

  const alone = (): Visit => {
    const kind = draw();
    const leaves = chance(0.35) ? oneOf(isMessage(kind) ? LEAVING_MESSAGES : LEAVING) : undefined;
    // Only a POST has a body.
    return visit(leaves === 'half a body' ? 'transaction' : kind, leaves);
  };

  const parties: Visit[][] = [];
  for (let planned = 0; planned < requests;) {
    const kinds = chance(0.05) ? oneOf(shared) : undefined;
    const party = kinds
      ? Array.from({ length: 2 + below(4) }, () =>
          visit(oneOf(kinds), chance(0.1) ? oneOf(LEAVING_PIPELINED) : undefined),
        )
      : [alone()];
    parties.push(party);
    planned += party.length;
  }
  return parties;
}
