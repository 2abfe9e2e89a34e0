import type { Lease } from '../engine/index.js';
import type { WholeTransaction } from './whole-transaction.js';

/** What a scope has borrowed once, for everybody in it. */
export class Shared {
  lease: Promise<Lease<unknown>> | undefined = undefined;
  /** Set when it is there. */
  got: Lease<unknown> | undefined = undefined;
  /** It is not remembered. */
  failed = false;
  /** A transaction has it for itself: it is not lent to whoever does not take part. */
  taken = false;
  /** A transaction in which everybody takes part who has it. */
  whole: WholeTransaction | undefined = undefined;
  /** What was borrowed beside it while it was not to be had. */
  next: Shared | undefined = undefined;

  /** One that was given back early, that its pool took away, or that has broken, is of no use to anybody. */
  get isOfUse(): boolean {
    const { failed, got } = this;
    return !failed && !got?.released && !got?.broken;
  }

  /** Is it for anybody in the scope? */
  get isOpen(): boolean {
    return !this.taken && this.whole?.doomed !== true;
  }
}

/** Which of those that a scope shares of one pool may somebody have? */
export type Fits = (one: Shared) => boolean;

/** Whoever just wants the resource of the scope. */
export const isOpen: Fits = one => one.isOpen;
/** Who wants no part in anybody's transaction. */
export const hasNoTransaction: Fits = one => !one.taken && one.whole === undefined;
/**
 * Who wants it for a transaction of its own. Not one that somebody is just being given: what that sends would be refused
 * as long as the transaction is open.
 */
export const isFree: Fits = one => hasNoTransaction(one) && one.got !== undefined;
