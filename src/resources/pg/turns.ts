import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';
import type { Client } from 'pg';
import pg from 'pg';
import { PoolError } from '../../engine/index.js';
import type { Admission } from './transactions.js';

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
  destroy?: (error: Error) => unknown;
  /** A stream that can be read has them. */
  push?: (chunk: unknown) => boolean;
  _read?: (size: number) => unknown;
  /** A cursor has them. */
  close?: () => Promise<void>;
  read?: (rows: number, callback?: Callback) => unknown;
  state?: unknown;
  /** The cursor of a stream. */
  cursor?: Submittable;
}

/** A query whose turn has not come. */
interface Waiting {
  readonly query: Submittable;
  readonly admission: Admission | undefined;
  /** That of its sender: what is done with it later has nothing to do with whose turn ended just then. */
  readonly context: AsyncResource;
}

/**
 * The queries of one client take turns: one is with pg, the others wait here. Several services of one request share
 * a connection and know nothing of each other, while pg deprecates a query that has to queue behind another.
 */
export class Turns {
  private waiting: Waiting[] = [];
  /** pg has something to do, or must not get anything yet. Nothing waits while it has not. */
  private taken = false;
  /** A request to cancel is under way. It has been passed on, or what it is for has ended before that; then the server is asked once more. */
  private cancelling: 'no' | 'requested' | 'passed on' | 'ended' | 'asking' = 'no';
  /** The cursor or stream whose turn it is. */
  private portal: Submittable | undefined = undefined;
  /** Its reader has gone. */
  private portalClosed = false;
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
    return !this.taken;
  }

  /** Has pg sent a query that has not ended? */
  get running(): boolean {
    return this.taken && this.cancelling !== 'ended' && this.cancelling !== 'asking';
  }

  /** Is a request to cancel under way? */
  get held(): boolean {
    return this.cancelling !== 'no';
  }

  /**
   * A request to cancel what is running is under way. If it comes late, it hits whatever runs then: so nothing is sent
   * before the server has passed it on, the query has ended, and the server has then answered once more.
   *
   * @param passedOn must not reject
   */
  hold(passedOn: Promise<void>): void {
    this.cancelling = 'requested';
    void passedOn.then(() => {
      if (this.cancelling === 'ended') this.askOnce();
      else if (this.cancelling === 'requested') this.cancelling = 'passed on';
    });
  }

  /**
   * Takes the place of `client.query`.
   *
   * @param admission is asked when the turn of the query has come
   */
  query(config: unknown, values?: unknown, callback?: unknown, admission?: Admission): unknown {
    if (this.closedBy) return this.refuse(notSent(this.closedBy), config, values, callback);
    if (this.taken && (!this.client.pipeline || this.held))
      return this.wait(config, values, callback, admission);
    const refusal = admission?.();
    return refusal ? this.refuse(refusal, config, values, callback) : this.start(config, values, callback);
  }

  /** Sends nothing, and tells the error in the way in which this query would tell its own. */
  refuse(error: Error, config: unknown, values?: unknown, callback?: unknown): unknown {
    const { query, result } = submittable(config, values, callback);
    this.fail(query, error);
    return result;
  }

  /** A Sync was sent; to be called for each. */
  asked(): void {
    this.owed++;
  }

  /** The server has said that it is ready; to be called before pg hears of it. A simple query is answered unasked. */
  answered(): void {
    if (this.owed > 0) this.owed--;
    // The callback of a query, which pg calls now, may send the next, or give the connection back: pg is as good as idle.
    // Not after a cursor, which may have asked for more than it has told pg.
    const followed = this.waiting.length > 0 || this.client.pipeline;
    if (this.owed === 0 && !followed && !this.held && !this.portal) this.taken = false;
  }

  /** The next turn. To be called when pg has nothing left to do, which it calls `drain`. */
  next(): void {
    // pg takes each "ready" for the end of what it is doing. A cursor that is closed before the server has said anything
    // may ask for it twice (pg-cursor up to 2.22.0): the second would end the next query, before its answer has come,
    // and that would become the answer to the query after it.
    if (this.owed > 0) return;
    if (this.mayBeHit()) return;
    this.taken = false;
    this.portal = undefined;
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      const { query, admission, context } = next;
      if (context.runInAsyncScope(() => this.begin(query, admission))) return;
    }
    this.tellIdle();
  }

  /** Calls back when there is nothing left to do, or never will be: at once, or as soon as it is so. */
  onIdle(callback: () => void): void {
    if (this.idle) callback();
    else this.whenIdle.push(callback);
  }

  /**
   * The borrower has gone. What it left waiting fails, and so does reading on from its cursor or stream, behind which
   * all others would wait for ever. What is running runs to its end.
   */
  abandon(why: () => Error): void {
    if (this.portal && !this.portalClosed) closePortal(this.portal, why);
    this.portalClosed = true;
    // As it is nearly always.
    if (this.waiting.length > 0) this.drop(why);
  }

  /** Nothing is sent from now on: what waits and what is still to come fails, and tells why. */
  close(cause: Error): void {
    if (this.closedBy) return;
    this.closedBy = cause;
    this.drop(() => notSent(cause));
  }

  /** The socket is closed: what pg was doing ends as well, without a `drain`. */
  end(): void {
    const { portal } = this;
    // Later: pg tells those that listen to it by itself.
    if (portal) setImmediate(() => this.failLastRead(portal));
    this.taken = false;
    this.cancelling = 'no';
    this.tellIdle();
  }

  /** A query has ended. Could the request to cancel it hit the next one? */
  private mayBeHit(): boolean {
    switch (this.cancelling) {
      case 'no':
        return false;
      case 'requested':
        this.cancelling = 'ended';
        return true;
      case 'passed on':
        this.askOnce();
        return true;
      case 'ended':
        return true;
      case 'asking':
        this.cancelling = 'no';
        return false;
    }
  }

  /** A round trip. When it has ended, the server has done with whatever reached it before. */
  private askOnce(): void {
    this.cancelling = 'asking';
    // Its end is seen by `next`, and by `end`.
    (this.send('') as Promise<unknown>).catch(() => undefined);
  }

  private wait(
    config: unknown,
    values: unknown,
    callback: unknown,
    admission: Admission | undefined,
  ): unknown {
    const { query, result } = submittable(config, values, callback);
    const context = new AsyncResource('nestjs-pool.query');
    if (query.callback) query.callback = context.bind(query.callback);
    this.waiting.push({ query, admission, context });
    return result;
  }

  /** @returns false when this turn is over at once */
  private begin(query: Submittable, admission: Admission | undefined): boolean {
    const refusal = admission?.();
    if (refusal) {
      this.fail(query, refusal);
      return false;
    }
    try {
      this.start(query);
    } catch (error) {
      // A query of somebody else's making. There is no caller here to throw at, and pg waits for it for ever.
      this.fail(query, error as Error);
      this.client.connection.stream.destroy();
    }
    return true;
  }

  private start(config: unknown, values?: unknown, callback?: unknown): unknown {
    this.taken = true;
    if (isSubmittable(config)) this.portal = config;
    this.portalClosed = false;
    try {
      return this.send(config, values, callback);
    } catch (error) {
      // Refused by pg before it did anything, as queries without a text are; or else it is stuck with it for good.
      this.taken = !(this.client as { readyForQuery?: boolean }).readyForQuery;
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

  /** What waits for its turn fails. */
  drop(why: () => Error): void {
    for (const { query, context } of this.waiting.splice(0)) {
      context.runInAsyncScope(() => {
        // A stream of rows can be closed; any other (COPY) waits for the server when it is destroyed, before it was sent.
        if (query.destroy && query.cursor) closePortal(query, why);
        else this.fail(query, why());
      });
    }
  }

  private fail(query: Submittable, error: Error): void {
    process.nextTick(() => query.handleError(error, this.client.connection));
  }

  private tellIdle(): void {
    if (this.whenIdle.length > 0) for (const callback of this.whenIdle.splice(0)) callback();
  }
}

/** Makes of the arguments of a query what can be sent later, and what the caller gets for it now. */
function submittable(
  config: unknown,
  values: unknown,
  callback: unknown,
): { query: Submittable; result: unknown } {
  // As pg does.
  if (config === null || config === undefined)
    throw new TypeError('Client was passed a null or undefined query');
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
  }).catch(restack);
  return { query, result };
}

/** As pg does: the stack of the caller instead of the socket's. A pool's own error has the right one. */
export function restack(error: unknown): never {
  if (error instanceof Error && !(error instanceof PoolError)) Error.captureStackTrace(error);
  throw error;
}

/** One for each query, so that each gets a stack of its own. */
function notSent(cause: Error): Error {
  return new Error(`Connection terminated, this query was not sent: ${cause.message}`, { cause });
}

function isSubmittable(config: unknown): config is Submittable {
  return typeof (config as Partial<Submittable> | null)?.submit === 'function';
}

/** Closes a cursor or stream, so that whoever reads on gets an error, and not what looks like the end. */
function closePortal(query: Submittable, why: () => Error): void {
  if (query.destroy) {
    // It may well be that nobody listens any more.
    (query as Partial<NodeJS.EventEmitter>).on?.('error', () => undefined);
    query.destroy(why());
    if (!query.cursor) readToEnd(query);
  } else if (query.close) {
    query.close().catch(() => undefined);
    query.read = (_rows, callback) => {
      if (!callback) return Promise.reject(why());
      process.nextTick(callback, why());
      return undefined;
    };
  }
}

/** The server goes on sending rows (COPY … TO STDOUT) until it is told to stop, and says nothing else before they are read. */
function readToEnd(query: Submittable): void {
  if (!query._read) return;
  query.push = () => true;
  query._read(0);
}
