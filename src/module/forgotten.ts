import { Logger } from '@nestjs/common';
import type { BorrowScope } from '../scope/index.js';

/** What is known of a hold when the object is gone that would have dropped it. Nothing of that object. */
interface Kept {
  readonly scope: BorrowScope;
  readonly drop: () => void;
  readonly why: string;
}

const forgotten = new FinalizationRegistry<Kept>(({ scope, drop, why }) => {
  if (!scope.unused && !scope.ended) {
    new Logger('PoolModule').warn(`${why} What it held is given back now, long after it was needed.`);
  }
  drop();
});

/**
 * Holds a scope for the sake of an object: until the returned function is called, or else until nobody has the object any
 * more, which is found out when memory is cleared up, if it ever is.
 *
 * @param why what the log says then
 */
export function holdFor(object: object, scope: BorrowScope, why: string): () => void {
  const token = {};
  const drop = scope.hold();
  forgotten.register(object, { scope, drop, why }, token);
  return () => {
    forgotten.unregister(token);
    drop();
  };
}
