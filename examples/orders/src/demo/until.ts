import { setTimeout as pause } from 'node:timers/promises';

/** @returns whether it came true in time */
export async function until(holds: () => boolean | Promise<boolean>, within = 10_000): Promise<boolean> {
  const end = performance.now() + within;
  while (!(await holds())) {
    if (performance.now() > end) return false;
    await pause(20);
  }
  return true;
}
