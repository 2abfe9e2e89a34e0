import { jest } from '@jest/globals';

/** Milliseconds that a statement has to end by itself when its connection is given back. */
export const GRACE = 100;

/**
 * Until this is disposed of, a statement that is left running has as long to end by itself as it takes: a short one may
 * take longer than a tenth of a second on a machine that has other things to do.
 */
export function longGrace(): Disposable {
  const { setTimeout: real } = globalThis;
  const timers = jest
    .spyOn(globalThis, 'setTimeout')
    .mockImplementation(((call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
      real(call, ms === GRACE ? 10_000 : ms, ...args)) as typeof real);
  return { [Symbol.dispose]: () => timers.mockRestore() };
}
