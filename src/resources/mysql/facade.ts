import { tracingChannel } from 'node:diagnostics_channel';
import type { Pool as CorePool, PoolConnection as CorePoolConnection } from 'mysql2';
import mysql from 'mysql2';
import { PoolOptionsError, type Lease, type Pool } from '../../engine/index.js';
import type { Connection } from 'mysql2/promise';
import type { Command, Core } from './core.js';
import { borrowOf, exchangeBorrow, makeLentCore, type Borrow } from './handle.js';

/** What `end()` of a facade does. */
export interface MysqlFacadeOptions {
  /**
   * `detach`: the facade lends nothing any more, and the pool lives on, as libraries like to end what they were only given.
   * `close`: it closes the pool. Default `detach`.
   */
  end?: 'detach' | 'close';
}

/** The second argument is there whenever the first is not. */
type GetConnection = Parameters<CorePool['getConnection']>[0];

/** One that is lent, and the lease that it was lent by. */
interface Loan {
  readonly connection: CorePoolConnection;
  /** Of the session that it was made for: after a reset it is another, for which another connection is made. */
  readonly generation: number;
  borrow: Borrow;
  lease: Lease<Connection> | undefined;
  release(): void;
}

/** The settings of connections that a pool of mysql2 has an own use for, but for the password. */
const SHOWN = ['host', 'port', 'socketPath', 'user', 'database', 'timezone', 'stringifyObjects'] as const;

/** What mysql2 makes of queries before there is a connection: the connection's own settings are to decide. */
const LEFT_TO_CONNECTIONS = {
  rowsAsArray: undefined,
  namedPlaceholders: undefined,
  infileStreamFactory: undefined,
};

interface MysqlClasses {
  readonly Pool: new (options: { config: object }) => CorePool & { _closed: boolean };
  readonly PoolConnection: { readonly prototype: { promise(implementation?: unknown): unknown } };
  readonly ConnectionConfig: new (options: object) => object;
}

const { Pool: MysqlPool, PoolConnection, ConnectionConfig } = mysql as unknown as MysqlClasses;

const acquiring = tracingChannel<unknown, object>('mysql2:pool:connect');

/**
 * mysql2's own pool, but for where connections come from, and what becomes of them: its `query`, `execute`, `promise()`,
 * `format` are those of mysql2.
 */
export class MysqlFacade extends MysqlPool {
  private readonly loans = new WeakMap<Core, Loan>();
  /** The settings of the connections are known. */
  private shown = false;

  constructor(
    // Not `pool`: knex takes that of a promise pool for the pool itself.
    private readonly lender: Pool<Connection>,
    private readonly ending: 'detach' | 'close',
  ) {
    const connectionConfig = Object.assign(new ConnectionConfig({}), LEFT_TO_CONNECTIONS);
    // mysql2 looks after idle connections by a timer unless all of them may be idle. There are none.
    super({
      config: { connectionConfig, connectionLimit: 0, maxIdle: 0, queueLimit: 0, waitForConnections: true },
    });
  }

  override getConnection(callback: GetConnection): void {
    const run = (done: GetConnection): void => this.lend(done);
    if (acquiring.hasSubscribers) {
      const { host, port, database } = this.connectionConfig;
      const context = { database: database ?? '', serverAddress: host, serverPort: port };
      acquiring.traceCallback(run, 0, context, undefined, callback);
    } else run(callback);
  }

  override releaseConnection(connection: CorePoolConnection): void {
    connection.release();
  }

  override end(callback?: (error: NodeJS.ErrnoException | null, ...args: unknown[]) => unknown): void {
    this._closed = true;
    const done = (): unknown => callback?.(null);
    if (this.ending === 'detach') process.nextTick(done);
    else void this.lender.close().then(done);
  }

  private get connectionConfig(): Record<string, unknown> & {
    host?: string;
    port?: number;
    database?: string;
  } {
    return (this.config as unknown as { connectionConfig: Record<string, unknown> }).connectionConfig;
  }

  private lend(callback: GetConnection): void {
    if (this._closed) {
      process.nextTick(callback, closedError());
      return;
    }
    if (this.listenerCount('enqueue') > 0 && this.mustQueue) this.emit('enqueue');
    this.lender.acquire().then(
      lease => {
        if (this._closed) {
          lease.release();
          outside(callback, closedError());
        } else this.hand(lease, callback);
      },
      (error: unknown) => {
        outside(callback, error as Error);
      },
    );
  }

  private get mustQueue(): boolean {
    const { idle, total, max } = this.lender.stats();
    return idle === 0 && total >= max;
  }

  private hand(lease: Lease<Connection>, callback: GetConnection): void {
    const borrow = borrowOf(lease.resource);
    if (!borrow) {
      lease.release();
      outside(callback, new TypeError('The pool of this facade does not lend connections of mysqlPool()'));
      return;
    }
    const { session } = borrow;
    this.show(session.core);
    let loan = this.loans.get(session.core);
    if (loan?.generation === session.generation) {
      borrow.adopt(loan.borrow);
      exchangeBorrow(loan.connection, borrow);
      loan.borrow = borrow;
      loan.lease = lease;
      this.emit('acquire', loan.connection);
    } else {
      // New, or as good as new: what an application does with each new connection is to be done again.
      loan = this.introduce(borrow, lease);
      const { connection } = loan;
      session.setUp(() => this.emit('connection', connection));
      this.emit('acquire', connection);
    }
    outside(callback, null, loan.connection);
  }

  private introduce(borrow: Borrow, lease: Lease<Connection>): Loan {
    const { session } = borrow;
    const connection = makeLentCore(session.core, borrow) as CorePoolConnection;
    const release = (): void => finish(current => current.release());
    const loan: Loan = { connection, generation: session.generation, borrow, lease, release };
    const finish = (end: (lease: Lease<Connection>) => void): void => {
      const { lease: current } = loan;
      loan.lease = undefined;
      if (!current || current.released) return;
      end(current);
      this.emit('release', connection);
    };
    const query = connection.query.bind(connection) as (...args: unknown[]) => unknown;
    Object.assign(connection, {
      release,
      destroy: () => finish(current => current.destroy()),
      // Libraries call it to give a connection back: Drizzle's iterators do.
      end: (callback?: () => void) => {
        release();
        if (callback) process.nextTick(callback);
      },
      promise: (implementation?: unknown) =>
        PoolConnection.prototype.promise.call(connection, implementation),
      query: (...args: unknown[]) => {
        leaveToConnection(args[0]);
        return query(...args);
      },
      [Symbol.dispose]: release,
    });
    const { core } = session;
    // Who holds it when it breaks cannot do anything with it any more, and may have forgotten it: its place is free.
    if (!this.loans.has(core)) void session.closed().then(() => this.takeBack(this.loans.get(core)));
    this.loans.set(core, loan);
    return loan;
  }

  /** Of one whose connection has closed. It has not been given back too early by its borrower, and is not told so. */
  private takeBack(loan: Loan | undefined): void {
    if (!loan?.lease) return;
    loan.release();
    loan.borrow.why = lostError;
  }

  /** So that `escape` and `format` of the facade do as those of its connections, and its server is known. */
  private show({ config }: Core): void {
    if (this.shown) return;
    this.shown = true;
    const shown = Object.fromEntries(SHOWN.map(name => [name, config[name]]));
    Object.assign(this.connectionConfig, shown);
  }
}

/** A callback that throws must not be taken for a failed acquire: its error is nobody's here. */
function outside(callback: GetConnection, error: Error | null, connection?: CorePoolConnection): void {
  process.nextTick(callback, error, connection);
}

/** As mysql2 has it. */
function lostError(): Error {
  return Object.assign(new Error('Connection lost: the server has closed the connection.'), {
    code: 'PROTOCOL_CONNECTION_LOST',
    fatal: true,
  });
}

function closedError(): Error {
  return new Error('Pool is closed.');
}

/** A query that was made without a connection says nothing about what was not said. */
function leaveToConnection(query: unknown): void {
  const options = (query as (Command & { _queryOptions?: Record<string, unknown> }) | undefined)
    ?._queryOptions;
  if (!options) return;
  for (const name of Object.keys(LEFT_TO_CONNECTIONS)) {
    if (options[name] === undefined) Reflect.deleteProperty(options, name);
  }
}

/** @throws PoolOptionsError when `end` is not one of its values */
export function makeFacade(pool: Pool<Connection>, { end = 'detach' }: MysqlFacadeOptions): CorePool {
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it may come from JavaScript
  if (end !== 'detach' && end !== 'close') {
    throw new PoolOptionsError('pool', `mysqlFacade: option "end" must be 'detach' or 'close'.`);
  }
  return new MysqlFacade(pool, end);
}
