import { neutrally } from './neutral.js';

/** How a call into user code ended. */
export type Outcome<R> =
  { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: unknown };

/**
 * Calls user code in the neutral context and tells its outcome exactly once, whatever it does: throw, reject, return
 * no promise or a broken one. Synchronous code is answered before this returns.
 */
export function guarded<R>(call: () => R | PromiseLike<R>, settled: (outcome: Outcome<R>) => void): void {
  neutrally(() => {
    guardedHere(call, settled);
  });
}

/** As {@link guarded}, in the context of whoever calls it. */
export function guardedHere<R>(call: () => R | PromiseLike<R>, settled: (outcome: Outcome<R>) => void): void {
  let outcome: Outcome<R>;
  try {
    const result = call();
    if (isThenable(result)) {
      Promise.resolve(result).then(
        value => settled({ ok: true, value }),
        (error: unknown) => settled({ ok: false, error }),
      );
      return;
    }
    outcome = { ok: true, value: result };
  } catch (error) {
    outcome = { ok: false, error };
  }
  settled(outcome);
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Lets a promise that nobody awaits reject without an unhandled rejection. */
export function swallow(promise: PromiseLike<unknown>): void {
  Promise.resolve(promise).catch(() => undefined);
}
