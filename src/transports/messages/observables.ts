import { Observable } from 'rxjs';
import { startTimer } from '../../engine/time/timer.js';
import { within, type BorrowScope } from '../../scope/index.js';
import { holdWhileSubscribed } from '../subscription.js';
import type { MessageScope } from './message-scope.js';

/** Milliseconds that the scope of an answer is kept which nobody subscribes to. */
const UNSUBSCRIBED_TIMEOUT = 1_000;

/**
 * Holds the scope of a message from now on until the subscription of its answer is over. Nest subscribes a few promises
 * later, unless the peer has left meanwhile.
 */
export function heldUntilSubscribed(scope: MessageScope, source: Observable<unknown>): Observable<unknown> {
  const watched = holdWhileSubscribed(scope, source, {
    audience: scope.audience.ofAnswer,
    emitted: () => {
      scope.tells();
    },
  });
  if (scope.isUnheard) return watched;
  const letGo = scope.hold();
  const drop = (): void => {
    timer.cancel();
    forget();
    letGo();
  };
  const timer = startTimer(drop, UNSUBSCRIBED_TIMEOUT);
  timer.unref();
  const forget = scope.audience.whenGone(drop);
  return new Observable(subscriber => {
    const subscription = watched.subscribe(subscriber);
    drop();
    return subscription;
  });
}

/** What Nest gives a handler for the messages of a client: they come when this has been called. */
interface Buffered {
  readonly drainBuffer?: () => void;
}

/** What comes out of it comes in a scope, whatever context it was sent from. */
export function within$<V>(scope: BorrowScope, source: Observable<V> & Buffered): Observable<V> {
  const entered = new Observable<V>(subscriber =>
    source.subscribe({
      next: value => within(scope, () => subscriber.next(value)),
      error: (error: unknown) => within(scope, () => subscriber.error(error)),
      complete: () => within(scope, () => subscriber.complete()),
    }),
  );
  const { drainBuffer } = source;
  return drainBuffer ? Object.assign(entered, { drainBuffer }) : entered;
}
