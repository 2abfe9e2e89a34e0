import { Logger } from '@nestjs/common';
import { Observable } from 'rxjs';
import { RequestAbortedError, inScope, within, type BorrowScope } from '../scope/index.js';

/** Where the events of a subscription go to. */
export interface Audience {
  readonly unanswerable: boolean;
  /** @returns forgets it */
  whenOver(tell: () => void): () => void;
}

export interface Subscription<V> {
  /** It may never complete by itself (SSE): it is completed when the application stops. */
  readonly endless?: boolean;
  /** It is completed when this is over and nobody has unsubscribed, as interceptors can swallow that. */
  readonly audience?: Audience | undefined;
  readonly emitted?: (value: V) => void;
  readonly ended?: (how: 'to its end' | 'given up') => void;
}

/** Holds the scope from subscription to the end of the subscription, however it ends. */
export function holdWhileSubscribed<V>(
  scope: BorrowScope,
  source: Observable<V>,
  { endless = false, audience, emitted, ended }: Subscription<V>,
): Observable<V> {
  return new Observable<V>(subscriber => {
    const { stopping } = scope.host;
    let how: 'to its end' | 'given up' = 'given up';
    const complete = (): void => {
      how = 'to its end';
      subscriber.complete();
    };
    if (audience?.unanswerable) {
      complete();
      return;
    }
    if (scope.ended) {
      // Its client had left, so that Nest does not subscribe: an interceptor has, after everything has gone back.
      subscriber.error(new RequestAbortedError());
      return;
    }
    const drop = scope.hold();
    const end = (): void => {
      try {
        complete();
      } catch (error) {
        // A teardown of the application has failed, and this was called by an event.
        new Logger('PoolModule').error(error);
      }
    };
    if (endless) {
      if (stopping.aborted) complete();
      else stopping.addEventListener('abort', end, { once: true });
    }
    const forget = audience?.whenOver(end);
    const inner = inScope(scope, () =>
      source.subscribe({
        // Whoever emits may do so in another context: a Subject that requests share, or a connection made by one of them.
        next: value => {
          within(scope, () => {
            emitted?.(value);
            subscriber.next(value);
          });
        },
        error: (error: unknown) => {
          how = 'to its end';
          scope.fail(error);
          within(scope, () => {
            subscriber.error(error);
          });
        },
        complete: () => {
          within(scope, complete);
        },
      }),
    );
    return () => {
      stopping.removeEventListener('abort', end);
      forget?.();
      try {
        // The source cleans up first: its teardown may still use what the scope has borrowed.
        inner.unsubscribe();
      } catch (error) {
        scope.fail(error);
        throw error;
      } finally {
        ended?.(how);
        drop();
      }
    };
  });
}
