import { REFUSES_OVERLAPS } from './money/overlaps.js';

/** What has to be known of a kind of request to make it, and to judge what becomes of it. */
export interface KindFacts {
  /** How often it is asked, beside the others. */
  readonly often: number;
  /** Where it is, if not both in `deep` and in `parameter`. The last part of its path is its name, but for GraphQL; in `ws` and
   * `rpc` it is a message of that name. */
  readonly under?: 'streams' | 'contexts' | 'branches' | 'money' | 'graphql' | 'ws' | 'rpc';
  readonly post?: true;
  readonly head?: true;
  /** Answered with a body that takes its time; it may break off when the backend is killed under it. */
  readonly streamed?: true;
  /** Its answer has a length, which is all that a pipelining client of ours can read. */
  readonly pipelined?: true;
  /** Answered with an error, or given up, as a rule. */
  readonly fails?: true;
  /** Nobody ends its answer, so that its client has to leave. */
  readonly endless?: true;
  /**
   * Code of it goes on that nobody can watch, when its client leaves or its stream breaks. That may cost the connection:
   * those of all other kinds must come back.
   */
  readonly unwatched?: true;
  /** Whoever gets a good answer has been told that its transfer is committed. */
  readonly pays?: true;
  /** Whoever gets a good answer has been told that its entry is committed. */
  readonly enters?: true;
  /** A message that is not answered. */
  readonly told?: true;
  /** It leaves nothing in its session but what it is about, which is a transaction. */
  readonly tidy?: true;
}

/**
 * Is asynchronous middleware waited for on Fastify too? Where it is not, the connection of a client that has left is not
 * safe from being destroyed, as that of code which nobody can watch.
 */
const WAITS_FOR_MIDDLEWARE = true as boolean;
const AWAITED: Pick<KindFacts, 'unwatched'> = WAITS_FOR_MIDDLEWARE ? {} : { unwatched: true };

/** What can be asked of the application. The name is the last part of the path. */
export const KINDS = {
  json: { often: 6, pipelined: true },
  plain: { often: 2, pipelined: true },
  filtered: { often: 3, pipelined: true, fails: true },
  transaction: { often: 4, post: true, enters: true },
  // Its rows go into a transform, which may have closed before they have.
  file: { often: 3, streamed: true, head: true, unwatched: true },
  readable: { often: 3, streamed: true, head: true },
  generator: { often: 3, streamed: true, head: true },
  'by-hand': { often: 3, streamed: true },
  sse: { often: 3, streamed: true },
  timeout: { often: 2, pipelined: true, fails: true },
  unawaited: { often: 2 },
  // Many are told that there is no second connection for them.
  fresh: { often: 4, pipelined: true },
  'try-acquire': { often: 2 },
  use: { often: 2, pipelined: true },
  own: { often: 2 },
  middleware: { often: 2, pipelined: true },

  'async-middleware': { often: 2, under: 'streams', streamed: true, ...AWAITED },
  'callback-middleware': { often: 2, under: 'streams', streamed: true, unwatched: true },
  'endless-middleware': { often: 2, under: 'streams', streamed: true, endless: true, unwatched: true },
  'piping-middleware': { often: 2, under: 'streams', streamed: true, unwatched: true },
  'made-file': { often: 2, under: 'streams', streamed: true, head: true },
  'made-pipeline': { often: 2, under: 'streams', streamed: true, unwatched: true },
  'made-pipe': { often: 2, under: 'streams', streamed: true, unwatched: true },
  gzip: { often: 2, under: 'streams', streamed: true, unwatched: true },

  'fail-fast': { often: 2, under: 'branches', fails: true },
  'graphql-fields': { often: 2, under: 'graphql', post: true },
  'graphql-sibling': { often: 2, under: 'graphql', post: true },
  'lost-context': { often: 2, under: 'contexts' },
  'foreign-context': { often: 3, under: 'contexts' },

  transfer: { often: 3, under: 'money', post: true, pays: true, tidy: true },
  'transfer-interceptor': { often: 3, under: 'money', post: true, pays: true, tidy: true },
  'transfer-middleware': { often: 3, under: 'money', pays: true, tidy: true, ...AWAITED },
  'transfer-callback': { often: 2, under: 'money', pays: true, tidy: true, unwatched: true },
  'transfer-graphql': { often: 3, under: 'graphql', post: true, tidy: true },
  'transfer-overlap': { often: REFUSES_OVERLAPS ? 3 : 0, under: 'money', tidy: true },
  'transfer-fail-fast': { often: REFUSES_OVERLAPS ? 3 : 0, under: 'money', fails: true, tidy: true },

  'ws-answer': { often: 2, under: 'ws' },
  'ws-given': { often: 2, under: 'ws' },
  // When its client leaves it may go on until it has answered.
  'ws-by-hand': { often: 2, under: 'ws', unwatched: true },
  'ws-guarded': { often: 2, under: 'ws' },
  // Nest gives up what interceptors do when the client has left, be it a COMMIT on its way.
  'ws-transaction': { often: 2, under: 'ws', enters: true, unwatched: true },
  'ws-observable': { often: 2, under: 'ws' },
  'ws-transfer': { often: 2, under: 'ws', pays: true, tidy: true },
  'rpc-answer': { often: 2, under: 'rpc' },
  'rpc-filtered': { often: 2, under: 'rpc', fails: true },
  'rpc-guarded': { often: 2, under: 'rpc' },
  'rpc-observable': { often: 2, under: 'rpc' },
  'rpc-event': { often: 2, under: 'rpc', told: true },
  'rpc-transfer': { often: 2, under: 'rpc', pays: true, tidy: true },
  'rpc-transfer-interceptor': { often: 2, under: 'rpc', pays: true, tidy: true },
} as const satisfies Readonly<Record<string, KindFacts>>;

export type Kind = keyof typeof KINDS;
export const factsOf = (kind: Kind): KindFacts => KINDS[kind];
/** Those that are asked in this storm. */
export const ALL_KINDS = (Object.keys(KINDS) as Kind[]).filter(kind => factsOf(kind).often > 0);
/** Those of messages over sockets that stay open. */
export const isMessage = (kind: Kind): boolean => ['ws', 'rpc'].includes(factsOf(kind).under ?? '');
export const kindsThat = (have: keyof KindFacts): readonly Kind[] =>
  ALL_KINDS.filter(kind => factsOf(kind)[have] !== undefined);
