import { startTimer } from '../../engine/time/timer.js';

/**
 * Waits for what may never settle: whether it has settled `well`, has `failed`, or is `late` after so many milliseconds.
 */
export function settles(work: () => Promise<unknown>, ms: number): Promise<'well' | 'failed' | 'late'> {
  return new Promise(resolve => {
    const timer = startTimer(() => {
      resolve('late');
    }, ms);
    const say = (how: 'well' | 'failed'): void => {
      timer.cancel();
      resolve(how);
    };
    attempt(work).then(
      () => say('well'),
      () => say('failed'),
    );
  });
}

/** Calls what may also throw. */
export async function attempt<R>(work: () => R | PromiseLike<R>): Promise<R> {
  return await work();
}

/**
 * The result of some work, or the reason of the signal when that is aborted first.
 *
 * @param late is given what the work still makes then
 */
export function unlessAborted<R>(
  work: Promise<R>,
  signal: AbortSignal,
  late: (result: R) => void,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(
      result => {
        signal.removeEventListener('abort', abort);
        if (signal.aborted) late(result);
        else resolve(result);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', abort);
        reject(error);
      },
    );
  });
}
