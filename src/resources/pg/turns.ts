import type { Client } from 'pg';
import pg from 'pg';

/** pg's `query`, bound to its client, without its many overloads. */
export type Send = (config: unknown, values?: unknown, callback?: unknown) => unknown;

type Callback = (error: Error | null | undefined, result?: unknown) => void;

/** Anything pg can send: a `Query`, a cursor, a stream. */
interface Submittable {
  submit(connection: unknown): unknown;
  handleError(error: Error, connection: unknown): void;
  callback?: Callback;
  query_timeout?: unknown;
  /** A stream has it. */
  destroy?: () => unknown;
  /** A cursor has it. */
  close?: () => Promise<void>;
  state?: unknown;
  /** The cursor of a stream. */
  cursor?: Submittable;
}

/**
 * The queries of one client take turns: one is with pg, the others wait here. Several services of one request share
 * a connection and know nothing of each other, while pg deprecates a query that has to queue behind another.
 */
export class Turns {
  private waiting: Submittable[] = [];
  /** pg has something to do. Nothing waits while it has not. */
  private running = false;
  /** The cursor or stream whose turn it is. */
  private portal: Submittable | undefined = undefined;
  /** How often the server was asked to say that it is ready, and has not said so yet. */
  private owed = 0;
  /** Why nothing can be sent any more. */
  private closedBy: Error | undefined = undefined;
  private whenIdle: (() => void)[] = [];

  constructor(
    private readonly client: Client,
    private readonly send: Send,
  ) {}

  get idle(): boolean {
    return !this.running;
  }

  /** Takes the place of `client.query`. */
  query(config: unknown, values?: unknown, callback?: unknown): unknown {
    const misuse = config === null || config === undefined;
    if (misuse || (!this.closedBy && (!this.running || this.client.pipeline))) {
      return this.start(config, values, callback);
    }
    const { query, result } = submittable(config, values, callback);
    if (this.closedBy) this.refuse(query, notSent(this.closedBy));
    else this.waiting.push(query);
    return result;
  }

  /** A Sync was sent; to be called for each. */
  asked(): void {
    this.owed++;
  }

  /** The server has said that it is ready; to be called before pg hears of it. A simple query is answered unasked. */
  answered(): void {
    if (this.owed > 0) this.owed--;
  }

  /** The next turn. To be called when pg has nothing left to do, which it calls `drain`. */
  next(): void {
    // pg takes each "ready" for the end of what it is doing. A cursor that is closed before the server has said anything
    // may ask for it twice (pg-cursor up to 2.22.0): the second would end the next query, before its answer has come,
    // and that would become the answer to the query after it.
    if (this.owed > 0) return;
    this.running = false;
    this.portal = undefined;
    const query = this.waiting.shift();
    if (!query) {
      this.tellIdle();
      return;
    }
    try {
      this.start(query);
    } catch (error) {
      // A query of somebody else's making. There is no caller here to throw at, and pg waits for it for ever.
      this.refuse(query, error as Error);
      this.client.connection.stream.destroy();
    }
  }

  /** Calls back when there is nothing left to do, or never will be: at once, or as soon as it is so. */
  onIdle(callback: () => void): void {
    if (this.idle) callback();
    else this.whenIdle.push(callback);
  }

  /** Closes the cursors and streams that were left open: nobody reads on, and all behind them would wait for ever. */
  closePortals(): void {
    if (this.portal) closePortal(this.portal);
    this.waiting = this.waiting.filter(query => {
      if (query.destroy) query.destroy();
      else if (query.close)
        this.refuse(query, new Error('The connection was given back with this cursor open'));
      else return true;
      return false;
    });
  }

  /** Nothing is sent from now on: what waits and what is still to come fails, and tells why. */
  close(cause: Error): void {
    if (this.closedBy) return;
    this.closedBy = cause;
    for (const query of this.waiting.splice(0)) this.refuse(query, notSent(cause));
  }

  /** The socket is closed: what pg was doing ends as well, without a `drain`. */
  end(): void {
    const { portal } = this;
    // Later: pg tells those that listen to it by itself.
    if (portal) setImmediate(() => this.failLastRead(portal));
    this.running = false;
    this.tellIdle();
  }

  private start(config: unknown, values?: unknown, callback?: unknown): unknown {
    this.running = true;
    if (isSubmittable(config)) this.portal = config;
    try {
      return this.send(config, values, callback);
    } catch (error) {
      // Refused by pg before it did anything, as queries without a text are; or else it is stuck with it for good.
      this.running = !(this.client as { readyForQuery?: boolean }).readyForQuery;
      throw error;
    }
  }

  /**
   * A cursor that has got its last row takes no notice of errors any more, although its reader gets that row only with
   * the server's next word, which will not come now.
   */
  private failLastRead(portal: Submittable): void {
    const cursor = portal.cursor ?? portal;
    if (cursor.state !== 'done') return;
    cursor.state = 'busy';
    cursor.handleError(
      new Error('Connection terminated before the end of a query', { cause: this.closedBy }),
      this.client.connection,
    );
  }

  private refuse(query: Submittable, error: Error): void {
    process.nextTick(() => query.handleError(error, this.client.connection));
  }

  private tellIdle(): void {
    for (const callback of this.whenIdle.splice(0)) callback();
  }
}

/** Makes of the arguments of a query what can be sent later, and what the caller gets for it now. */
function submittable(
  config: unknown,
  values: unknown,
  callback: unknown,
): { query: Submittable; result: unknown } {
  if (isSubmittable(config)) {
    const given = typeof values === 'function' ? values : callback;
    if (!config.callback && typeof given === 'function') config.callback = given as Callback;
    return { query: config, result: config };
  }
  const query = new pg.Query(
    config as string,
    values as [],
    callback as () => void,
  ) as unknown as Submittable;
  query.query_timeout = (config as Submittable).query_timeout;
  if (query.callback) {
    if (typeof (query.callback as unknown) !== 'function') throw new TypeError('callback is not a function');
    return { query, result: undefined };
  }
  const result = new Promise((resolve, reject) => {
    query.callback = (error, value) => {
      if (error) reject(error);
      else resolve(value);
    };
  }).catch((error: unknown) => {
    // As pg does: the stack of the caller instead of the socket's.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  });
  return { query, result };
}

/** One for each query, so that each gets a stack of its own. */
function notSent(cause: Error): Error {
  return new Error(`Connection terminated, this query was not sent: ${cause.message}`, { cause });
}

function isSubmittable(config: unknown): config is Submittable {
  return typeof (config as Partial<Submittable> | null)?.submit === 'function';
}

function closePortal(query: Submittable): void {
  if (query.destroy) query.destroy();
  else query.close?.().catch(() => undefined);
}
