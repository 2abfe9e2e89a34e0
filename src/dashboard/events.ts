import { kindOf, type DestroyReason, type PoolListener } from '../engine/index.js';
import { cut, framesOf } from './who.js';
import { duration } from './words.js';

/** Something that has happened, in words. */
export interface ShownEvent {
  /** Of the epoch, in milliseconds. */
  readonly at: number;
  readonly kind: 'destroy' | 'failure' | 'leak' | 'state' | 'advice' | 'load' | 'action';
  readonly text: string;
  readonly stack?: string;
}

/** So many of one second are told one by one. */
const A_SECOND = 10;
/** So many are kept. */
const KEPT = 60;

const REASONS: Readonly<Record<DestroyReason, string>> = {
  idle: 'idle for longer than idleTimeout',
  lifetime: 'older than maxLifetime',
  uses: 'lent maxUses times',
  invalid: 'found to be invalid',
  'reset-failed': 'its reset failed',
  fatal: 'a borrower reported an error that it does not survive',
  held: 'held for longer than maxHold',
  recycled: 'recycled',
  overflow: 'beyond max, and nobody waits any more',
  shrink: 'max was lowered',
  evicted: 'made room for another key',
  closed: 'the pool was closed',
  late: 'was made after createTimeout had passed',
  caller: 'its borrower asked for it',
};

const GIVEN_UP = {
  limit: 'which is its limit',
  place: 'and another one needs its place',
  closed: 'and the pool was closed',
};

/** What happens in one pool. Bounded, whatever happens in it: beyond ten a second there are only sums. */
export class EventLog {
  readonly kept: ShownEvent[] = [];
  /** Since the last second. */
  private fresh: ShownEvent[] = [];
  private omitted = 0;

  constructor(private readonly name: string) {}

  note(kind: ShownEvent['kind'], text: string, stack?: string): void {
    // The sum of a second is one, and must not be lost among what it sums up.
    if (kind !== 'load' && this.fresh.length >= A_SECOND) {
      this.omitted++;
      return;
    }
    this.fresh.push({
      at: Date.now(),
      kind,
      text: cut(text, 300),
      ...(stack && { stack: stackText(stack) }),
    });
  }

  /** A second is over. @returns what has happened in it, the oldest first */
  turn(): readonly ShownEvent[] {
    if (this.omitted > 0) {
      this.fresh.push({ at: Date.now(), kind: 'load', text: `and ${this.omitted} more within a second` });
    }
    const told = this.fresh;
    this.fresh = [];
    this.omitted = 0;
    this.kept.push(...told);
    this.kept.splice(0, this.kept.length - KEPT);
    return told;
  }

  /** Timeouts, sheds and refusals are none of these: there may be thousands a second, and the counts tell of them. */
  listener(): PoolListener {
    const of = (pool: string, slot: number): string =>
      pool === this.name ? `#${slot}` : `#${slot} of ${cut(pool, 100)}`;
    return {
      onDestroy: ({ pool, slot, reason, cause, error }) => {
        const why = cause === undefined ? '' : ` (${kindOf(cause)})`;
        const failed = error === undefined ? '' : `; its destroy failed: ${kindOf(error)}`;
        this.note('destroy', `${of(pool, slot)} destroyed: ${REASONS[reason]}${why}${failed}`);
      },
      onCreateFailed: ({ pool, slot, error, attempt, retryInMs }) =>
        this.note(
          'failure',
          `${of(pool, slot)} could not be made: ${kindOf(error)}, attempt ${attempt}, the next one in ${duration(retryInMs)}`,
        ),
      onAbandon: ({ pool, slot, stage, ranMs, reason }) =>
        this.note(
          'failure',
          `${of(pool, slot)} given up: its ${stage} was not done after ${duration(ranMs)}, ${GIVEN_UP[reason]}`,
        ),
      onLeak: ({ pool, slot, limit, heldMs, owner, stack, returned }) => {
        const who = owner === undefined ? '' : ` by ${cut(owner, 120)}`;
        const long = heldMs === undefined ? '' : ` for ${duration(heldMs)}`;
        if (returned) this.note('leak', `${of(pool, slot)} has come back after all, held${who}${long}`);
        else
          this.note(
            'leak',
            `${of(pool, slot)} held${who}${long}, longer than ${limit === 'close' ? 'the close waits' : limit}`,
            stack,
          );
      },
      onLateUse: ({ pool, slot, use, stack }) =>
        this.note('leak', `${of(pool, slot)} used (${cut(use, 60)}) after its lease had ended`, stack),
      onAdvice: ({ advice }) => this.note('advice', advice.text),
      onStateChange: ({ pool, from, to, cause }) => {
        const whose = pool === this.name ? '' : `${cut(pool, 100)}: `;
        const why = cause === undefined ? '' : ` (${kindOf(cause)})`;
        this.note('state', `${whose}${from} → ${to}${why}`);
      },
    };
  }
}

/** The frames that matter first; bounded. */
export function stackText(stack: string): string {
  return cut(framesOf(stack).slice(0, 8).join('\n'), 1_500);
}
