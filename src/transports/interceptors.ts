import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Observable, defer, finalize, isObservable, tap } from 'rxjs';
import { within, type BorrowScope } from '../scope/index.js';
import { scopeOfCall } from './executions.js';

const known = new WeakMap<NestInterceptor, NestInterceptor>();

/**
 * An interceptor that is called in the scope it belongs to, also where the one before it went on from elsewhere, and that
 * holds the scope until what it makes of the handler's answer is complete.
 */
export function watchedInterceptor(interceptor: NestInterceptor): NestInterceptor {
  let watched = known.get(interceptor);
  if (!watched) {
    watched = {
      intercept: (context: ExecutionContext, next) => {
        const scope = scopeOfCall(context.getType<string>(), context.getArgs());
        return scope ? intercept(scope, interceptor, context, next) : interceptor.intercept(context, next);
      },
    };
    known.set(interceptor, watched);
  }
  return watched;
}

/** What of the handler's answer is on its way through an interceptor. */
interface Traffic {
  /** How many values have gone in and not come out. */
  inside: number;
  /** How often the answer is subscribed to: while it is, it has holds of its own. */
  open: number;
  /** It was ended for the reason that nobody listens any more. */
  dismissed: boolean;
}

function intercept(
  scope: BorrowScope,
  interceptor: NestInterceptor,
  context: ExecutionContext,
  next: CallHandler<unknown>,
): Observable<unknown> | Promise<Observable<unknown>> {
  const traffic: Traffic = { inside: 0, open: 0, dismissed: false };
  const counted: CallHandler<unknown> = {
    handle: () => {
      const answer = next.handle();
      const opened = defer(() => {
        traffic.open++;
        return answer;
      });
      return opened.pipe(
        tap({
          next: () => {
            traffic.inside++;
          },
          complete: () => {
            traffic.dismissed = scope.hasLeft;
          },
        }),
        finalize(() => {
          traffic.open--;
        }),
      );
    },
  };
  const made = heldUntilSettled(scope, () => interceptor.intercept(context, counted));
  return made instanceof Promise
    ? made.then(answer => untilComplete(scope, answer, traffic))
    : untilComplete(scope, made, traffic);
}

/**
 * Holds the scope until what an interceptor has made is complete. If it is given up before (by a `timeout()` further out,
 * or by Nest, when the client leaves) while a value is inside of it, it may be at work with that; and if it is not waiting
 * for the handler, as it has yet to call it (`defer`) or goes on after it (`concat`), it is at work itself: there is a doubt.
 */
function untilComplete(
  scope: BorrowScope,
  answer: Observable<unknown>,
  traffic: Traffic,
): Observable<unknown> {
  // What is no Observable is for Nest to complain about.
  if (!isObservable(answer)) return answer;
  return new Observable(subscriber => {
    scope.enter();
    let over = false;
    const subscription = answer.subscribe({
      next: value => {
        // It may have been made there (`startWith`), while nothing had gone in.
        if (traffic.inside > 0) traffic.inside--;
        subscriber.next(value);
      },
      error: (error: unknown) => {
        over = true;
        subscriber.error(error);
      },
      complete: () => {
        over = true;
        subscriber.complete();
      },
    });
    return () => {
      const atWork = traffic.inside > 0 || (traffic.open === 0 && !traffic.dismissed);
      try {
        subscription.unsubscribe();
      } finally {
        if (!over && atWork) scope.doubt();
        scope.leave();
      }
    };
  });
}

/** What is asynchronous is at work until it has settled, also when nobody waits for it any more. */
export function heldUntilSettled<R>(scope: BorrowScope, work: () => Promise<R>): Promise<R>;
export function heldUntilSettled<R>(scope: BorrowScope, work: () => R): R;
export function heldUntilSettled(scope: BorrowScope, work: () => unknown): unknown {
  // Held from the beginning: this may be what the scope begins with.
  scope.enter();
  let result: unknown;
  try {
    result = within(scope, work);
  } finally {
    if (!(result instanceof Promise)) scope.leave();
  }
  // In the place of the promise: a rejection that nobody handles stays one.
  return result instanceof Promise ? result.finally(() => scope.leave()) : result;
}
