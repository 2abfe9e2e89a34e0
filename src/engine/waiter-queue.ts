import type { Clock } from './clock.js';
import { Deadline, type Deadlines } from './deadlines.js';
import { IntrusiveList, type Links } from './intrusive-list.js';

/**
 * Why a waiter gets nothing. The error itself is made by the borrower's own continuation, so that it carries the
 * borrower's stack and not that of a timer or of somebody else's release.
 */
export class Refusal {
  constructor(readonly error: () => unknown) {}
}

/** Somebody who awaits an R: an acquire that queues, or a start. */
export class Waiter<R> implements Links<Waiter<R>> {
  prev: Waiter<R> | undefined = undefined;
  next: Waiter<R> | undefined = undefined;
  readonly deadline: Deadline;
  readonly outcome: Promise<R | Refusal>;
  settle!: (outcome: R | Refusal) => void;

  constructor(
    readonly since: number,
    readonly timeout: number,
    readonly signal: AbortSignal | undefined,
    /** Where it began to wait, if anybody wants to know. */
    readonly trace: Error | undefined,
    private readonly left: (waiter: Waiter<R>, why: 'late' | 'aborted') => void,
  ) {
    this.outcome = new Promise(resolve => {
      this.settle = resolve;
    });
    this.deadline = new Deadline(() => {
      left(this, 'late');
    });
  }

  /** The listener of its signal: an object, so that no closure is needed and removing it is exact. */
  handleEvent(): void {
    this.left(this, 'aborted');
  }
}

/** What a queue does about those who leave it before they are served. */
export interface Departures<R> {
  /** Its deadline has passed: what is it told? Called while it is still in the queue. */
  late(waiter: Waiter<R>): Refusal;
  /** It has left, because of its deadline or its signal. */
  left(waiter: Waiter<R>, why: 'late' | 'aborted'): void;
}

/**
 * Those who wait, first come first served. Each is in here exactly as long as its outcome is open, and while anybody
 * is, the process stays alive.
 */
export class WaiterQueue<R> {
  private readonly list = new IntrusiveList<Waiter<R>>();

  constructor(
    private readonly deadlines: Deadlines,
    private readonly clock: Clock,
    private readonly departures: Departures<R>,
  ) {}

  get length(): number {
    return this.list.length;
  }

  get first(): Waiter<R> | undefined {
    return this.list.first;
  }

  /**
   * Waits to be taken out of the queue and settled.
   *
   * @param joined called at once, with the new waiter in the queue; may already serve it
   * @throws what a refusal says, or the reason of the signal
   */
  async join(
    timeout: number,
    signal: AbortSignal | undefined,
    trace: Error | undefined,
    joined: () => void,
  ): Promise<R> {
    const now = this.clock.now();
    const waiter = new Waiter<R>(now, timeout, signal, trace, this.leave);
    this.list.push(waiter);
    this.deadlines.hold();
    this.deadlines.set(waiter.deadline, now, timeout);
    signal?.addEventListener('abort', waiter);
    joined();
    const outcome = await waiter.outcome;
    if (outcome instanceof Refusal) throw outcome.error();
    return outcome;
  }

  /** Takes out who came first; the caller settles it. */
  shift(): Waiter<R> | undefined {
    const waiter = this.list.first;
    if (waiter) this.remove(waiter);
    return waiter;
  }

  /** Ends everybody's wait alike. */
  settleAll(outcome: R | Refusal): void {
    for (let waiter = this.shift(); waiter; waiter = this.shift()) waiter.settle(outcome);
  }

  private remove(waiter: Waiter<R>): void {
    this.list.remove(waiter);
    this.deadlines.cancel(waiter.deadline);
    this.deadlines.letGo();
    waiter.signal?.removeEventListener('abort', waiter);
  }

  private readonly leave = (waiter: Waiter<R>, why: 'late' | 'aborted'): void => {
    const { signal } = waiter;
    const refusal =
      why === 'late' ? this.departures.late(waiter) : new Refusal(() => signal?.reason as unknown);
    this.remove(waiter);
    waiter.settle(refusal);
    this.departures.left(waiter, why);
  };
}
