import type { Client, Notification } from 'pg';
import { PoolClosedError, messageOf, type Pool } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { startTimer } from '../../engine/time/timer.js';
import { checkPool } from '../common/check-pool.js';

/** What a NOTIFY has sent. */
export interface PgNotification {
  readonly channel: string;
  /** Empty when there was none. */
  readonly payload: string;
  /** Of the session that has sent it. */
  readonly processId: number;
}

export interface PgListenOptions {
  /** Ends it when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The connection is lost, and another is being made. Notifications that are sent from now on are missed. */
  readonly onLost?: ((cause: unknown) => unknown) | undefined;
  /** Another connection listens. What may have been missed is to be looked up now: notifications are not sent again. */
  readonly onRestored?: (() => unknown) | undefined;
  /**
   * Milliseconds after which the server is asked whether it is still there, since nobody else sends anything on such a
   * connection. Default 30 000; `Infinity`: never.
   */
  readonly checkEvery?: number | undefined;
}

/** What {@link listen} has begun. */
export interface PgSubscription extends AsyncDisposable {
  /** Is there a connection that listens, as far as is known? */
  readonly listening: boolean;
  /** Ends it; resolves when its connection is closed. */
  close(): Promise<void>;
}

/** Milliseconds. */
const CHECK_EVERY = 30_000;
const ANSWER_WITHIN = 5_000;
const END_WITHIN = 2_500;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
/** Bytes. The server would cut off a longer one, and tell notifications by what is left. */
const LONGEST_CHANNEL = 63;

const callback = { ok: (value: unknown) => typeof value === 'function', allowed: 'a function' };
const RULES = {
  channels: {
    ok: (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isChannel),
    allowed: `names of channels, of 1 to ${LONGEST_CHANNEL} bytes`,
  },
  handler: callback,
  onLost: callback,
  onRestored: callback,
  checkEvery: {
    ok: (value: unknown) => typeof value === 'number' && value > 0,
    allowed: 'milliseconds > 0, or Infinity',
  },
  signal: {
    ok: (value: unknown) => typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function',
    allowed: 'an AbortSignal',
  },
};

/**
 * Holds a connection that LISTENs. When it is lost, another is made that listens as well, for as long as that takes;
 * notifications that were sent meanwhile are missed, so look up what they would have told in `onRestored`.
 *
 * The connection comes from the pool, which then forgets it: it is neither leaked nor held too long, and the server has it
 * beside the `max` of the pool. It ends with `close()`, with the signal, or when the pool is closed.
 *
 * ```ts
 * const subscription = await listen(pool, ['orders'], ({ payload }) => refresh(payload), { onRestored: () => refreshAll() });
 * ```
 *
 * A name is taken as it is: `NOTIFY Orders` without quotes notifies `orders`. What the callbacks throw is dropped, with a
 * warning of the process the first time. PgBouncer, unless it pools by session, does not pass notifications on.
 *
 * @throws TypeError when it is given no pool
 * @throws PoolOptionsError when a name or an option is not what it must be
 * @throws what `pool.acquire()` throws, and what the server says to LISTEN, when the first connection cannot be had
 */
export async function listen(
  pool: Pool<Client>,
  channels: string | readonly string[],
  handler: (notification: PgNotification) => unknown,
  options: PgListenOptions = {},
): Promise<PgSubscription> {
  checkPool(pool, 'listen()');
  const names = typeof channels === 'string' ? [channels] : channels;
  checkOwn(pool.name, `listen() on pool "${pool.name}"`, { channels: names, handler, ...options }, RULES);
  const subscription = new Subscription(pool, [...new Set(names)], handler, options);
  await subscription.begin();
  return subscription;
}

class Subscription implements PgSubscription {
  private client: Client | undefined = undefined;
  /** Aborted when it ends. */
  private readonly ending = new AbortController();
  private readonly leave: (() => void)[] = [];
  private restoring: Promise<void> | undefined = undefined;
  private finished: Promise<void> | undefined = undefined;
  private warned = false;

  constructor(
    private readonly pool: Pool<Client>,
    private readonly channels: readonly string[],
    private readonly handler: (notification: PgNotification) => unknown,
    private readonly options: PgListenOptions,
  ) {}

  get listening(): boolean {
    return this.client !== undefined;
  }

  async begin(): Promise<void> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    const close = (): void => void this.close();
    this.leave.push(
      this.pool.addListener({
        onStateChange: ({ to }) => {
          if (to === 'draining' || to === 'closed') close();
        },
      }),
    );
    signal?.addEventListener('abort', close);
    this.leave.push(() => signal?.removeEventListener('abort', close));
    try {
      await this.connect();
    } catch (error) {
      await this.close();
      signal?.throwIfAborted();
      throw error;
    }
  }

  close(): Promise<void> {
    this.finished ??= this.end();
    return this.finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async end(): Promise<void> {
    for (const leave of this.leave.splice(0)) leave();
    const { client } = this;
    this.client = undefined;
    this.ending.abort(new PoolClosedError(this.pool.name, 'This subscription was closed'));
    if (client) await endClient(client);
    await this.restoring;
  }

  /** Makes a connection that listens, and holds it. */
  private async connect(): Promise<void> {
    const { signal } = this.ending;
    const lease = await this.pool.acquire({ signal });
    const client = lease.detach();
    try {
      // Before it listens, so that nothing is missed that comes with the answer.
      client.on('notification', this.notified);
      await client.query(this.channels.map(channel => `LISTEN ${quoted(channel)}`).join('; '));
      signal.throwIfAborted();
      // At once: who closes from now on finds it.
      this.hold(client);
    } catch (error) {
      await endClient(client);
      throw error;
    }
  }

  private hold(client: Client): void {
    this.client = client;
    let cause: unknown = undefined;
    client.on('error', error => {
      cause ??= error;
    });
    client.once('end', () => {
      if (this.client !== client) return;
      this.client = undefined;
      this.tell(() => this.options.onLost?.(cause ?? new Error('the connection was closed')));
      this.restoring = this.restore();
    });
    void this.check(client);
  }

  /** Never rejects. */
  private async restore(): Promise<void> {
    const { signal } = this.ending;
    for (let failed = 0; !signal.aborted; failed++) {
      try {
        await this.connect();
        if (this.listening) this.tell(() => this.options.onRestored?.());
        return;
      } catch (error) {
        if (error instanceof PoolClosedError) void this.close();
        else await pause(Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failed), signal);
      }
    }
  }

  /** A connection on which nobody sends anything is not seen to be broken. */
  private async check(client: Client): Promise<void> {
    const { checkEvery = CHECK_EVERY } = this.options;
    if (checkEvery === Infinity) return;
    const { signal } = this.ending;
    for (;;) {
      await pause(checkEvery, signal);
      if (this.client !== client) return;
      const giveUp = startTimer(
        () => client.connection.stream.destroy(),
        Math.min(checkEvery, ANSWER_WITHIN),
      );
      // What is wrong with it is told by its end.
      await client.query('').catch(() => client.connection.stream.destroy());
      giveUp.cancel();
    }
  }

  private readonly notified = ({ channel, payload = '', processId }: Notification): void => {
    if (this.ending.signal.aborted) return;
    this.tell(() => this.handler({ channel, payload, processId }));
  };

  private tell(call: () => unknown): void {
    try {
      const told = call();
      if (told instanceof Promise) told.catch(this.warn);
    } catch (error) {
      this.warn(error);
    }
  }

  private readonly warn = (error: unknown): void => {
    if (this.warned) return;
    this.warned = true;
    process.emitWarning(
      `A callback of listen() on pool "${this.pool.name}" has failed: ${messageOf(error)}. What it throws is dropped; ` +
        'this is told once.',
      { type: 'PoolListenerWarning' },
    );
  };
}

/** Resolves when the socket is closed, which a server that does not answer cannot prevent. */
async function endClient(client: Client): Promise<void> {
  client.on('error', () => undefined);
  const timer = startTimer(() => client.connection.stream.destroy(), END_WITHIN);
  await client.end();
  timer.cancel();
}

/** Over at once when the signal is aborted. Does not keep the process alive. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const over = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = startTimer(over, ms);
    timer.unref();
    if (signal.aborted) over();
    else signal.addEventListener('abort', over);
  });
}

function isChannel(name: unknown): boolean {
  if (typeof name !== 'string' || name === '' || name.includes('\0')) return false;
  return Buffer.byteLength(name) <= LONGEST_CHANNEL;
}

function quoted(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
