import { setImmediate } from 'node:timers/promises';

/**
 * Runs a computation to its end, and lets the event loop turn after each of its steps: only there the worker hears that
 * nobody wants the result any more. A worker that stops by itself is kept; one that does not is terminated.
 *
 * @param step is told what each step yields
 */
export async function inSlices<Step, Result>(
  computation: Generator<Step, Result>,
  signal: AbortSignal,
  step: (yielded: Step) => void = () => undefined,
): Promise<Result> {
  for (;;) {
    const { done, value } = computation.next();
    if (done) return value;
    step(value);
    await setImmediate();
    signal.throwIfAborted();
  }
}
