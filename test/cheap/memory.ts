import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage now. What was looked at by way of a WeakRef stays until its turn of the event loop is over. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Texts of half a million characters each, of which only a few are used: the way in which fields come from a body. */
export function partsOfLargeTexts(count: number, keep: (part: string) => void): void {
  for (let i = 0; i < count; i++) {
    const body = Buffer.alloc(500_000, `field number ${i} of a body; `).toString('latin1');
    keep(body.slice(0, 20));
  }
}

/** How many more bytes are in use after it than before. */
export function bytesKeptBy(action: () => void): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  action();
  collectGarbage();
  return process.memoryUsage().heapUsed - before;
}
