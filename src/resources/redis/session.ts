import type { EventEmitter } from 'node:events';
import type { Handle } from '../../engine/index.js';
import { startTimer, type Timer } from '../../engine/time/timer.js';
import { whileRunning, type Foundable } from '../common/hooks.js';
import { isUnfit } from './errors.js';
import { Listeners } from '../common/listeners.js';
import { Trace } from './trace.js';

/**
 * What happens to the session between two borrowers:
 * - `auto`: `RESET`, and the handshake again, when a command was sent that changes the session; nothing when none was
 * - `always`: `RESET` and the handshake every time, one round trip
 * - `never`: no `RESET`
 */
export type SessionReset = 'auto' | 'always' | 'never';

/** Milliseconds in which what a borrower did not wait for may end by itself. */
const GRACE = 100;

/**
 * What the pool knows of one client beyond what the client tells: what its session has been through since it was last
 * clean, and whether it is still of use. What depends on the library is in the classes that extend it.
 */
export abstract class Session<C = unknown> implements Foundable {
  /** The connection is closed, or about to be. */
  broken = false;
  /** The server has said that it is not the one that is wanted. */
  unfit = false;
  /** Why it is broken: the first that was heard of it. */
  cause: unknown = undefined;
  readonly trace = new Trace();
  /** RESET has undone what `onCreate` did. */
  renewed = false;
  /** `onCreate` has chosen another database. */
  protected foundSelected = false;
  /** A hook of the user's is at work, on the client itself. */
  protected observed = false;
  private listeners: Listeners | undefined = undefined;
  /** Nothing can make it fit for another borrower. */
  private spoilt = false;

  /** @param emitter where the client emits its events */
  constructor(
    readonly client: C,
    protected readonly emitter: EventEmitter,
    private readonly mode: SessionReset,
    private readonly invalidate: (cause?: unknown) => void,
  ) {
    // Without a listener an `error` event would end the process, or be written to the console.
    emitter.on('error', error => this.spoil(error));
  }

  /** Is a command without its answer? */
  abstract get busy(): boolean;
  /** Are there channels that it listens to? */
  protected abstract get subscribed(): boolean;
  abstract send(command: string, ...args: string[]): Promise<unknown>;
  /** RESET, and all that makes of that a session such as a new one; in one round trip. */
  protected abstract renew(): Promise<unknown>;
  /** Destroys the socket. What is under way fails. */
  abstract kill(): void;
  /** Resolves when the socket is closed: at once if it is already. */
  abstract closed(): Promise<void>;
  /** Lets the server close its end. */
  protected abstract bye(): void;
  /** What the next borrower gets in place of the client. */
  abstract lend(): Handle<C>;

  /** The session is there; whoever listens from now on is a borrower. */
  opened(): void {
    this.listeners = new Listeners(this.emitter);
  }

  /**
   * Calls the user's `onCreate`: what that does leaves no trace.
   *
   * @throws what it throws, and an error when it has left something that no borrower must find
   */
  async found(work: () => unknown): Promise<void> {
    const { trace } = this;
    this.renewed = false;
    this.listeners?.clean();
    await this.observe(work);
    if (this.busy) await this.ping();
    if (trace.inTransaction || trace.watching || trace.spoilt || this.subscribed) {
      throw new Error('onCreate has left a transaction, keys that are watched, or a subscription');
    }
    this.foundSelected = trace.selected;
    trace.clear();
    this.opened();
  }

  observe(work: () => unknown): unknown {
    this.observed = true;
    return whileRunning(work, () => {
      this.observed = false;
    });
  }

  async ping(): Promise<void> {
    await this.send('PING');
  }

  /** The server has answered a command with an error. */
  failed(error: unknown): void {
    if (!isUnfit(error)) return;
    this.unfit = this.spoilt = true;
  }

  /** It cannot be used any more, by anybody. */
  spoil(cause: unknown): void {
    this.broken = this.spoilt = true;
    this.cause ??= cause;
    this.invalidate(cause);
  }

  /** Its borrower has gone. What waits at the server, or hears from it, must not go on until the next one is there. */
  abandon(): void {
    this.spoilt ||= !(this.listeners?.clean() ?? true);
    const { trace } = this;
    if (this.subscribed || trace.spoilt || (trace.blocking && this.busy)) {
      this.spoilt = true;
      this.kill();
    }
  }

  /**
   * Makes the session as good as new. Nothing to do is the usual case: then it returns at once and sends nothing.
   *
   * @returns false, or rejects, when that cannot be done
   */
  reset(): boolean | Promise<boolean> {
    // Those of a hook, as nobody has had a handle since.
    this.spoilt ||= !(this.listeners?.clean() ?? true);
    if (this.spoilt) return false;
    if (this.busy) return this.settle();
    return this.clean();
  }

  /** Ends the connection. @param patience milliseconds after which its socket is destroyed, whatever the server does */
  async end(patience: number): Promise<void> {
    if (this.broken || this.busy || this.trace.spoilt) {
      this.kill();
      return this.closed();
    }
    this.broken = true;
    const timer = startTimer(() => this.kill(), patience);
    // The socket holds the process until then.
    timer.unref();
    this.bye();
    await this.closed();
    timer.cancel();
  }

  private clean(): boolean | Promise<boolean> {
    const { trace, mode } = this;
    // It may only have become so since the borrower left.
    if (this.subscribed) return false;
    if (mode === 'always' || (mode === 'auto' && trace.touched)) {
      this.renewed = true;
      return this.scrub(() => this.renew());
    }
    // It ends the watches as well.
    if (trace.inTransaction) return this.scrub(() => this.send('DISCARD'));
    if (trace.watching) return this.scrub(() => this.send('UNWATCH'));
    trace.blocking = false;
    return true;
  }

  private async scrub(how: () => Promise<unknown>): Promise<boolean> {
    await how();
    this.trace.clear();
    return !this.spoilt;
  }

  /** The borrower did not wait for its last command. Answers come in the order of the commands. */
  private async settle(): Promise<boolean> {
    let timer: Timer | undefined;
    const late = new Promise<false>(resolve => {
      timer = startTimer(() => resolve(false), GRACE);
    });
    const pong = this.ping();
    // When it comes too late, the connection is destroyed under it.
    pong.catch(() => undefined);
    try {
      return (await Promise.race([pong, late])) === false ? false : !this.spoilt && (await this.clean());
    } finally {
      timer?.cancel();
    }
  }
}
