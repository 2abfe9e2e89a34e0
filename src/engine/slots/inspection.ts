import { guarded, isThenable, type Outcome } from '../basics/user-code.js';
import { approves, type ResetVerdict } from '../options/factory.js';
import { HookContext, type BorrowOutcome } from '../options/hooks.js';
import type { DestroyReason } from '../reports/destroy-reason.js';
import type { Lateness } from './lateness.js';
import type { Coming, Slot } from './slot.js';
import type { Stock } from './stock.js';

/** What becomes of a slot after an inspection. */
export interface Verdicts<T> {
  /** Fit for the next borrower; the slot is in state `idle`, in no list. */
  fit(slot: Slot<T>): void;
  /** To be destroyed; the slot is still in the state it was inspected in. */
  unfit(slot: Slot<T>, reason: DestroyReason, cause: unknown): void;
}

/** Is a resource fit for its next borrower? Validation before it is lent, reset after it was. */
export class Inspection<T> {
  /** What was last known to be good before this moment is in doubt, as one of its age has failed or is late. */
  private doubtsBefore = -Infinity;
  /** Is every borrower to get one that has been looked at, also who waits for just that one? */
  readonly always: boolean;

  constructor(
    private readonly pool: Stock<T>,
    private readonly lateness: Lateness<T>,
    private readonly verdicts: Verdicts<T>,
  ) {
    this.always = pool.settings.validateAfterIdle === 0 && pool.factory.validate !== undefined;
  }

  /** Must it be validated before it is lent now? */
  isDue(slot: Slot<T>, now: number): boolean {
    const { factory, settings, coarse } = this.pool;
    return (
      factory.validate !== undefined &&
      settings.validateAfterIdle !== Infinity &&
      (now - slot.provenAt >= settings.validateAfterIdle || slot.provenAt < coarse.sleptUntil)
    );
  }

  /** Validates an idle slot that was taken out of the idle list. */
  validate(slot: Slot<T>): void {
    slot.validate();
    if (slot.provenAt < Math.max(this.doubtsBefore, this.pool.coarse.sleptUntil)) slot.doubt();
    this.inspect(slot, this.pool.settings.validateTimeout, resource =>
      this.pool.factory.validate?.(resource),
    );
  }

  /** Resets a slot that was given back: with `onReturn`, the factory's `reset`, and `onCreate` where that is undone by it. */
  reset(slot: Slot<T>, outcome: BorrowOutcome, owner: object | undefined): void {
    slot.reset();
    const { factory, hooks, settings } = this.pool;
    this.inspect(slot, settings.resetTimeout, resource => {
      const reset = (): ResetVerdict | PromiseLike<ResetVerdict> => {
        // Nobody waits for it any more: past its limit, or closed meanwhile.
        if (slot.state !== 'resetting') return undefined;
        const verdict = factory.reset?.(resource);
        return hooks.onCreate ? after(verdict, this.renewal(slot)) : verdict;
      };
      if (!hooks.onReturn) return reset();
      return after(hooks.onReturn(resource, outcome, new HookContext(slot.id, owner)), reset);
    });
  }

  /** Calls `onCreate` again, once `reset` has undone what it had done. */
  private renewal(slot: Slot<T>): (verdict: ResetVerdict) => ResetVerdict | PromiseLike<ResetVerdict> {
    return verdict => {
      const { birth } = slot;
      if (verdict !== 'renewed' || !birth || slot.state !== 'resetting') return verdict;
      const abort = (slot.abort = new AbortController());
      const again = this.pool.hooks.onCreate?.(slot.resource, { ...birth, signal: abort.signal });
      return after(again, () => {
        slot.abort = undefined;
        return true;
      });
    };
  }

  /** The call did not settle within its limit, or for another reason is not waited for any longer. */
  overdue(slot: Slot<T>, what = 'did not settle in time'): void {
    const why = new Error(`${slot.state} ${what}`);
    slot.abort?.abort(why);
    this.suspect(slot);
    this.verdicts.unfit(slot, fault(slot), why);
  }

  /** One that was validated has failed, or is late: what has dropped its connection may have dropped others. */
  suspect(slot: Slot<T>): void {
    if (slot.state === 'validating') this.doubtsBefore = this.pool.coarse.now();
  }

  private inspect(
    slot: Slot<T>,
    limit: number,
    call: (resource: T) => ResetVerdict | PromiseLike<ResetVerdict>,
  ): void {
    const { deadlines, clock } = this.pool;
    const state = slot.state as Coming;
    let began: number | undefined;
    guarded<ResetVerdict>(
      () => call(slot.resource),
      outcome => {
        // The pool did not wait for it: past its limit, or closed meanwhile.
        if (slot.state !== state) return;
        deadlines.cancel(slot.limit);
        if (began !== undefined && outcome.ok) {
          const now = clock.now();
          this.lateness.paces[state].record(now - began, now);
        }
        this.judge(slot, outcome);
      },
    );
    // Synchronous code has been judged already.
    if (slot.state === state) this.lateness.began(slot, (began = clock.now()), limit);
  }

  private judge(slot: Slot<T>, outcome: Outcome<ResetVerdict>): void {
    if (!approves(outcome)) {
      this.suspect(slot);
      this.verdicts.unfit(slot, fault(slot), outcome.ok ? undefined : outcome.error);
    } else if (slot.doom) {
      this.verdicts.unfit(slot, slot.doom, slot.doomCause);
    } else {
      // Was it one of those in doubt, the others may be as good.
      if (slot.state === 'validating') {
        this.doubtsBefore = -Infinity;
        slot.check();
      }
      slot.provenAt = this.pool.coarse.now();
      slot.rest();
      this.verdicts.fit(slot);
    }
  }
}

/** Goes on with what user code has answered: at once, where that was synchronous. */
function after<A, R>(
  answer: A | PromiseLike<A>,
  next: (answer: A) => R | PromiseLike<R>,
): R | PromiseLike<R> {
  return isThenable(answer) ? Promise.resolve(answer).then(next) : next(answer);
}

function fault(slot: Slot<unknown>): DestroyReason {
  return slot.state === 'resetting' ? 'reset-failed' : 'invalid';
}
