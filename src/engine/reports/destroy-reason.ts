/** Why a resource was destroyed. */
export type DestroyReason =
  /** Idle for longer than `idleTimeout`, and more than `min` alive. */
  | 'idle'
  /** Older than `maxLifetime`. */
  | 'lifetime'
  /** Lent `maxUses` times. */
  | 'uses'
  /** `validate` refused it, failed or took too long, somebody called `invalidate`, or its `handle` could not be made. */
  | 'invalid'
  /** `reset` refused it, failed or took too long. */
  | 'reset-failed'
  /** A borrower reported an error that `isFatal` recognises. */
  | 'fatal'
  /** Held for longer than `maxHold`, and `maxHoldAction` is `destroy`. */
  | 'held'
  /** Older than the last `recycle()`. */
  | 'recycled'
  /** Beyond `max`, and nobody waits any more. */
  | 'overflow'
  /** Beyond `max` since it was lowered by `resize()`. */
  | 'shrink'
  /** Made room for another key of a keyed pool. */
  | 'evicted'
  /** The pool was closed. */
  | 'closed'
  /** Its create settled after `createTimeout`. */
  | 'late'
  /** The borrower asked for it: `lease.destroy()`. */
  | 'caller';
