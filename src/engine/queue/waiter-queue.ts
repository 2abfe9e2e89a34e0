import { IntrusiveList, type Links } from '../basics/intrusive-list.js';
import type { AcquireSignal, Priority } from '../options/calls.js';
import type { Alarm } from '../time/alarm.js';
import type { Bucket, Deadlines, Timed } from '../time/deadlines.js';
import { listen, unlisten } from './abort-listeners.js';
import type { WaitingOwners } from './owners.js';

/**
 * Why a waiter gets nothing. The error itself is made by the borrower's own continuation, so that it carries the
 * borrower's stack and not that of a timer or of somebody else's release.
 */
export class Refusal {
  constructor(readonly error: () => unknown) {}
}

/** What an acquire comes to, or will. */
export type Served<R> = R | Refusal | Promise<R | Refusal>;

/** What somebody who waits has asked for. */
export interface Wish {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AcquireSignal | undefined;
  readonly priority?: Priority | undefined;
  readonly owner?: object | undefined;
  /** Where it began to wait, if anybody wants to know. */
  readonly trace?: Error | undefined;
}

/** Somebody who awaits an R: an acquire that queues, or a start. */
export class Waiter<R> implements Links<Waiter<R>> {
  prev: Waiter<R> | undefined = undefined;
  next: Waiter<R> | undefined = undefined;
  readonly deadline = new Patience(this);
  readonly outcome: Promise<R | Refusal>;
  settle!: (outcome: Served<R>) => void;

  constructor(
    readonly since: number,
    /** Who joined any queue earlier has a lower one. */
    readonly ticket: number,
    readonly wish: Wish,
    /** It leaves its queue unserved: at which moment its time was up, or because its signal was aborted. */
    readonly left: (waiter: Waiter<R>, why: number | 'aborted') => void,
  ) {
    this.outcome = new Promise(resolve => {
      this.settle = resolve;
    });
  }

  /** The listener of its signal: an object, so that no closure is needed and removing it is exact. */
  handleEvent(): void {
    this.left(this, 'aborted');
  }
}

/** Until when a waiter waits: an object without a closure, as there may be very many. */
class Patience<R> implements Timed {
  prev: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  bucket: Bucket | undefined = undefined;

  constructor(private readonly waiter: Waiter<R>) {}

  expire(now: number): void {
    this.waiter.left(this.waiter, now);
  }
}

/** @throws what a refusal says */
export function served<R>(outcome: R | Refusal): R {
  if (outcome instanceof Refusal) throw outcome.error();
  return outcome;
}

/** What a queue does about those who leave it before they are served. */
export interface Departures<R> {
  /** Its deadline has passed, at that moment: what is it told? Called while it is still in the queue. */
  late(waiter: Waiter<R>, at: number): Refusal;
  /** It has left, because of its deadline or its signal. */
  left(waiter: Waiter<R>, why: 'late' | 'aborted'): void;
}

/** Those of one priority, first come first. */
class Line<R> extends IntrusiveList<Waiter<R>> {
  /** The first that is not {@link WaiterQueue.overdue}; all before it are. */
  patient: Waiter<R> | undefined = undefined;

  override push(waiter: Waiter<R>): void {
    super.push(waiter);
    this.patient ??= waiter;
  }

  override remove(waiter: Waiter<R>): void {
    if (waiter === this.patient) this.patient = waiter.next;
    super.remove(waiter);
  }
}

let tickets = 0;

/**
 * Those who wait, high priority before normal before low, and within one first come first served. Each is in here
 * exactly as long as its outcome is open, and while anybody is, the process stays alive.
 */
export class WaiterQueue<R> {
  length = 0;
  /** How many have been waiting for longer than they should; see {@link markOverdue}. */
  overdue = 0;
  /** Who joined before is overdue. Never in the future, so that nobody is who joins now. */
  private overdueBy = -Infinity;
  private readonly high = new Line<R>();
  private readonly normal = new Line<R>();
  private readonly low = new Line<R>();

  constructor(
    private readonly alarm: Alarm,
    private readonly waits: Deadlines,
    private readonly departures: Departures<R>,
    /** Told about waiters that have one. */
    private readonly owners?: WaitingOwners,
    /** Counts those who wait in several queues. */
    private readonly tally?: { waiting: number },
  ) {}

  /** Whose turn it is. */
  get first(): Waiter<R> | undefined {
    return this.high.first ?? this.normal.first ?? this.low.first;
  }

  /** Since when the one waits who has waited longest; undefined when nobody waits. */
  get oldestSince(): number | undefined {
    const oldest = Math.min(...[this.high, this.normal, this.low].map(list => list.first?.since ?? Infinity));
    return oldest === Infinity ? undefined : oldest;
  }

  /** Since when the one waits who has waited longest of those that are not overdue; undefined when there is none. */
  get patientSince(): number | undefined {
    const oldest = Math.min(
      ...[this.high, this.normal, this.low].map(({ patient }) => patient?.since ?? Infinity),
    );
    return oldest === Infinity ? undefined : oldest;
  }

  /** Counts who joined before that as overdue from now on. Amortised O(1). */
  markOverdue(before: number): void {
    if (before <= this.overdueBy) return;
    this.overdueBy = before;
    for (const line of [this.high, this.normal, this.low]) {
      for (; line.patient && line.patient.since < before; line.patient = line.patient.next) this.overdue++;
    }
  }

  /** Everybody, in no order. */
  *[Symbol.iterator](): Iterator<Waiter<R>> {
    for (const list of [this.high, this.normal, this.low]) {
      for (let waiter = list.first; waiter; waiter = waiter.next) yield waiter;
    }
  }

  /**
   * Waits to be taken out of the queue and settled.
   *
   * @returns what it is settled with; rejects with what a refusal says, or the reason of the signal
   * @throws the reason of a signal that is aborted already, and what a signal of foreign make throws
   */
  join(wish: Wish): Promise<R> {
    // Not an async function, which would cost everybody who is served as much again.
    return this.enter(wish).outcome.then(served);
  }

  /** As {@link join}, for who asks for the outcome itself. */
  enter(wish: Wish): Waiter<R> {
    // User code has run since the last look: a listener, or a destroy.
    wish.signal?.throwIfAborted();
    const now = this.waits.now();
    const waiter = new Waiter<R>(now, ++tickets, wish, this.leave);
    this.lineOf(wish).push(waiter);
    this.length++;
    if (this.tally) this.tally.waiting++;
    this.alarm.hold();
    this.waits.set(waiter.deadline, now, wish.timeout);
    if (wish.owner) this.owners?.joined(wish.owner);
    if (wish.signal) this.heed(wish.signal, waiter);
    return waiter;
  }

  /** Takes out whose turn it is; the caller settles it. */
  shift(): Waiter<R> | undefined {
    const { first } = this;
    if (first) this.remove(first);
    return first;
  }

  /** Takes one out; the caller settles it. */
  remove(waiter: Waiter<R>): void {
    const { signal, owner } = waiter.wish;
    this.lineOf(waiter.wish).remove(waiter);
    this.length--;
    if (this.tally) this.tally.waiting--;
    if (waiter.since < this.overdueBy) this.overdue--;
    this.waits.cancel(waiter.deadline);
    this.alarm.letGo();
    if (owner) this.owners?.left(owner);
    if (signal) unlisten(signal, waiter);
  }

  /** Ends everybody's wait alike. */
  settleAll(outcome: R | Refusal): void {
    for (let waiter = this.shift(); waiter; waiter = this.shift()) waiter.settle(outcome);
  }

  /** @throws what a signal of foreign make throws; then nobody waits */
  private heed(signal: AcquireSignal, waiter: Waiter<R>): void {
    try {
      listen(signal, waiter);
    } catch (error) {
      this.remove(waiter);
      throw error;
    }
  }

  private lineOf({ priority }: Wish): Line<R> {
    if (priority === undefined) return this.normal;
    return this[priority];
  }

  private readonly leave = (waiter: Waiter<R>, why: number | 'aborted'): void => {
    const { signal } = waiter.wish;
    const aborted = why === 'aborted';
    const refusal = aborted ? new Refusal(() => signal?.reason) : this.departures.late(waiter, why);
    this.remove(waiter);
    waiter.settle(refusal);
    this.departures.left(waiter, aborted ? why : 'late');
  };
}
