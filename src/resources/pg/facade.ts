import type { EventEmitter } from 'node:events';
import type { Client, Pool as PgPoolType, PoolClient } from 'pg';
import pg from 'pg';
import type { Lease, Pool, Transaction } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { checkPool } from '../common/check-pool.js';
import { joinTransaction } from './joined.js';
import { Loans, type Loan, type LoanListener } from './loans.js';
import type { ShowsConnections } from './shown.js';

export interface PgFacadeOptions {
  /**
   * The `pg.Pool` that the facade is to be an instance of: that of the library that gets it, where it has a `pg` of its own.
   * Default: that of the `pg` that the pool is made with.
   */
  Pool?: typeof pg.Pool | undefined;
  /**
   * What `end()` does. `detach`: the facade lends nothing any more, and the pool lives on, as libraries like to end what they
   * were only given. `close`: it closes the pool. Default `detach`.
   */
  end?: 'detach' | 'close' | undefined;
  /**
   * Finds the transaction, begun by the pool, that whoever calls `connect()` or `query()` is to take part in; undefined where it
   * takes part in none, and gets a connection of its own. What it throws, and rejects with, is what the caller is told. Called
   * where the caller is, so that an AsyncLocalStorage can tell. Default: nobody takes part in any; with `PgPoolModule`, everybody
   * in that of the place.
   */
  current?: (() => CurrentTransaction | PromiseLike<CurrentTransaction>) | undefined;
}

type CurrentTransaction = Transaction<Client> | undefined;

type Release = (error?: unknown) => void;
type Connected = (error: unknown, client: PoolClient | undefined, release: Release) => void;

/** As much of pg-pool as is not public, and is needed. */
interface Interior extends EventEmitter {
  options: object;
  end(): Promise<void>;
  end(callback: () => void): void;
  ending: boolean;
  ended: boolean;
  Client: unknown;
  _isFull(): boolean;
  _pulseQueue(): void;
  _acquireClient(client: PoolClient, item: PendingItem, listener: () => void, isNew: boolean): void;
  _release(client: PoolClient, listener: () => void, error: unknown): void;
}

interface PendingItem {
  readonly callback: Connected;
}

type Base = new (options: object) => Interior;

/** What is taken the place of, or called, in pg-pool. */
export const PRIVATE_NAMES = ['_isFull', 'newClient', '_release', '_acquireClient', '_pulseQueue'] as const;

const RULES = {
  Pool: { ok: isPoolClass, allowed: `the class Pool of a package pg, from version 8.11 on` },
  end: {
    ok: (value: unknown) => value === 'detach' || value === 'close',
    allowed: `'detach' or 'close'`,
  },
  current: { ok: (value: unknown) => typeof value === 'function', allowed: 'a function' },
};

const nothing = (): void => undefined;

/** One class for each Pool that somebody has. */
const classes = new WeakMap<object, ReturnType<typeof facadeOf>>();

const makers = new WeakMap<object, (options: PgFacadeOptions) => PgPoolType>();

/**
 * @throws PoolOptionsError when an option is not what it must be
 * @throws TypeError when it is given no pool
 */
export function makeFacade(pool: Pool<Client>, options: PgFacadeOptions): PgPoolType {
  checkPool(pool, 'pgFacade()');
  const { Pool: Base = pg.Pool, end = 'detach', current } = options;
  checkOwn(pool.name, 'pgFacade', { Pool: Base, end, current }, RULES);
  let Facade = classes.get(Base);
  if (!Facade) classes.set(Base, (Facade = facadeOf(Base as unknown as Base)));
  const connections = connectionsOf(pool);
  if (!connections) throw new TypeError(`pgFacade() needs a pool of pgPool(), which "${pool.name}" is not`);
  const facade = new Facade(pool.self, connections, end, current) as unknown as PgPoolType;
  makers.set(facade, more => makeFacade(pool, { ...options, ...more }));
  return facade;
}

/** What a pool of pgPool() has; undefined of any other, such as a pool of fakes. */
export function connectionsOf(pool: Pool<Client>): ShowsConnections | undefined {
  const { self } = pool as { self?: Pool<Client> };
  const factory = self?.inside.factory as unknown as Partial<ShowsConnections> | undefined;
  return typeof factory?.shown === 'function' ? (factory as ShowsConnections) : undefined;
}

/** Makes another facade of the same pool, as the given one is, but for these options; undefined for what is no facade. */
export function anotherOf(facade: object): ((options: PgFacadeOptions) => PgPoolType) | undefined {
  return makers.get(facade);
}

/** `connect`, `query`, `end` and the events stay those of pg-pool, also where somebody has patched them. */
function facadeOf(Base: Base) {
  return class BoundPool extends Base implements LoanListener {
    /** Not enumerable: who logs a pool does not want to see what is behind it. */
    declare private readonly loans: Loans;
    declare private readonly current: Map<PoolClient, Loan>;
    declare private readonly lender: Pool<Client>;
    /** How many have asked for a client and have none. */
    private wanted = 0;

    constructor(
      lender: Pool<Client>,
      connections: ShowsConnections,
      private readonly atEnd: 'detach' | 'close',
      private readonly transaction: PgFacadeOptions['current'],
    ) {
      super({ ...connections.shown(), idleTimeoutMillis: lender.inside.settings.idleTimeout });
      // They can be changed.
      for (const name of ['max', 'min'] as const) {
        Object.defineProperty(this.options, name, {
          get: () => lender.inside.limits[name],
          enumerable: true,
        });
      }
      // Libraries that make connections beside the pool's, with its options, borrow one instead.
      this.Client = undefined;
      for (const [name, value] of Object.entries({
        lender,
        loans: new Loans(lender, this),
        current: new Map(),
      })) {
        Object.defineProperty(this, name, { value });
      }
    }

    /** What is lent: pg-pool asks when it ends. */
    get _clients(): PoolClient[] {
      return [...this.current.keys()];
    }

    /** pg-pool begins with none. */
    set _clients(_none: PoolClient[]) {
      // They are kept in `current`.
    }

    get totalCount(): number {
      return this.lender.inside.census.alive;
    }

    get idleCount(): number {
      return this.lender.inside.census.idle;
    }

    get waitingCount(): number {
      return this.lender.inside.waiters.length;
    }

    get expiredCount(): number {
      const { slots, coarse } = this.lender.inside;
      const now = coarse.now();
      let expired = 0;
      for (const { state, expiresAt } of slots) if (state === 'leased' && expiresAt <= now) expired++;
      return expired;
    }

    override _isFull(): boolean {
      return false;
    }

    newClient({ callback }: PendingItem): void {
      this.wanted++;
      let current: ReturnType<NonNullable<typeof this.transaction>>;
      try {
        current = this.transaction?.();
      } catch (error) {
        process.nextTick(() => this.fail(error, callback));
        return;
      }
      if (current === undefined) this.serve(callback, this.loans.acquire());
      else void this.lendWithin(current, callback);
    }

    private serve(callback: Connected, lease: Promise<Lease<Client>>): void {
      lease.then(
        lease => {
          apart(() => {
            this.hand(lease, callback);
          });
        },
        (error: unknown) => {
          apart(() => {
            this.fail(error, callback);
          });
        },
      );
    }

    /** The connection is that of the transaction: nothing leaves the pool, and nothing comes back. */
    private async lendWithin(
      current: CurrentTransaction | PromiseLike<CurrentTransaction>,
      callback: Connected,
    ): Promise<void> {
      let transaction: CurrentTransaction;
      try {
        transaction = await current;
      } catch (error) {
        process.nextTick(() => this.fail(error, callback));
        return;
      }
      if (transaction) process.nextTick(() => this.join(transaction, callback));
      else this.serve(callback, this.loans.acquire());
    }

    private join(transaction: Transaction<Client>, callback: Connected): void {
      let client: PoolClient;
      try {
        client = joinTransaction(transaction);
      } catch (error) {
        this.fail(error, callback);
        return;
      }
      this.wanted--;
      this.goOn();
      callback(undefined, client, () => client.release());
    }

    /** Whoever has asked before the end is served. */
    override _pulseQueue(): void {
      if (this.wanted === 0) super._pulseQueue();
    }

    private hand(lease: Lease<Client>, callback: Connected): void {
      let loan: Loan | undefined;
      try {
        loan = this.loans.lend(lease);
      } catch (error) {
        this.fail(error, callback);
        return;
      }
      if (!loan) {
        this.serve(callback, this.loans.renew(lease));
        return;
      }
      const { client } = loan;
      this.wanted--;
      this.current.set(client, loan);
      this._acquireClient(client, { callback }, nothing, false);
    }

    private fail(error: unknown, callback: Connected): void {
      this.wanted--;
      this.goOn();
      callback(error, undefined, nothing);
    }

    override _release(client: PoolClient, _listener: () => void, error: unknown): void {
      this.emit('release', error, client);
      const loan = this.current.get(client);
      this.forget(client);
      if (loan) this.loans.giveBack(loan, error);
    }

    override end(): Promise<void>;
    override end(callback: () => void): void;
    override end(callback?: () => void): unknown {
      const end = super.end.bind(this) as (callback?: () => void) => unknown;
      if (this.atEnd === 'detach' || this.ending) return end(callback);
      const ended = Promise.all([end(), this.lender.close({ drain: true })]).then(nothing);
      if (!callback) return ended;
      void ended.then(() => process.nextTick(callback));
      return undefined;
    }

    introduced(client: PoolClient, setUp: (work: () => void) => void): void {
      const value = (): void => {
        if (this.current.has(client)) client.release();
      };
      Object.defineProperty(client, Symbol.dispose, { value });
      const tell = (): void => {
        this.emit('connect', client);
      };
      // With the first call, every promise of the process begins to cost more.
      if (this.listenerCount('connect') > 0) setUp(tell);
      else tell();
    }

    gone(client: PoolClient): void {
      this.forget(client);
      this.emit('remove', client);
    }

    failed(error: Error, client: PoolClient): void {
      if (this.listenerCount('error') > 0) this.emit('error', error, client);
    }

    private forget(client: PoolClient): void {
      if (this.current.delete(client)) this.goOn();
    }

    private goOn(): void {
      if (this.ending) this._pulseQueue();
    }
  };
}

function isPoolClass(value: unknown): boolean {
  if (typeof value !== 'function') return false;
  const prototype = value.prototype as Record<string, unknown>;
  return PRIVATE_NAMES.every(name => typeof prototype[name] === 'function');
}

/** What throws in a callback or listener is nobody's here. */
function apart(work: () => void): void {
  try {
    work();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
