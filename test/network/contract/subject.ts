import type { Pool, PoolSettings, PoolStats } from '../../../src/engine/index.js';

/** What the contract has to know of one kind of resources, to try them on their real server. */
export interface Subject<T> {
  readonly name: string;
  /** What this machine lacks for it; undefined when it lacks nothing. */
  readonly missing?: string | undefined;
  /** False where a borrower cannot leave anything in a session. Default true. */
  readonly canBeStained?: boolean;
  /** False where a server cannot be asked whether a session is alive. Default true. */
  readonly canBeValidated?: boolean;
  /** False where only code of the resource itself borrows, and gives back nothing that it still uses. Default true. */
  readonly canBeMisused?: boolean;
  /** False where a session is made without a word of its server, which then cannot be late. Default true. */
  readonly canHangWhenMade?: boolean;
  /** Starts a server for the tests of one file. */
  open(): Promise<Backend<T>>;
}

/** What the contract uses of a pool; of one by key, all with the same key. */
export interface PoolUnderTest<T> extends Pick<Pool<T>, 'acquire' | 'use' | 'close'> {
  stats(): Pick<PoolStats, 'state' | 'total' | 'idle' | 'creating' | 'waiting' | 'abandoned' | 'totals'>;
}

/** A real server, seen from outside by a connection of its own that does not go through the pool. */
export interface Backend<T> extends AsyncDisposable {
  readonly port: number;
  /** A pool of the factory to be tried, which connects to this port. */
  pool(port: number, settings: PoolSettings): PoolUnderTest<T>;
  /** One round trip: the name that the server has for the session. */
  session(resource: T): Promise<string>;
  /** A command that takes so long at the server, or until it is cancelled. */
  slow(resource: T, ms: number): Promise<unknown>;
  /** Leaves in the session what the next borrower must not find. */
  stain?(resource: T): Promise<unknown>;
  isStained?(resource: T): Promise<boolean>;
  /** The sessions of pools that the server has now. */
  sessions(): Promise<string[]>;
  /** How many of them are in the middle of {@link slow}. */
  running(): Promise<number>;
  /** The server ends a session. */
  kill(session: string): Promise<void>;
  stop(): Promise<void>;
  /** Starts it again after {@link stop}, on the same port. */
  start(): Promise<void>;
}
