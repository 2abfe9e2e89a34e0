import type { MessagePort } from 'node:worker_threads';
import { serveTasks } from 'nestjs-pool/worker';
import { drawMandelbrot } from '../pictures/mandelbrot.js';
import { encodePng } from '../pictures/png.js';
import { countPrimes, type Counted } from '../primes/count-primes.js';
import { inSlices } from './slices.js';

/** What a client hears while its primes are counted. */
export interface Progress extends Counted {
  readonly percent: number;
}

/** What a worker does: it runs in a thread of its own, once for each worker. */
export const tasks = serveTasks({
  /** A call has one answer. What is to be told before it goes through a port that comes with the call. */
  async primes({ n, progress }: { n: number; progress: MessagePort }, { signal }): Promise<number> {
    let last = 0;
    const tell = (counted: Counted): void => {
      const percent = Math.floor((100 * counted.upTo) / n);
      // A hundred messages are enough, however large n is.
      if (percent > last) progress.postMessage({ ...counted, percent } satisfies Progress);
      last = percent;
    };
    try {
      return await inSlices(countPrimes(n), signal, tell);
    } finally {
      progress.close();
    }
  },

  /** The bytes of a PNG, which are moved to the main thread and not copied. */
  async mandelbrot({ width, height }: { width: number; height: number }, { signal, transfer }) {
    const pixels = await inSlices(drawMandelbrot(width, height), signal);
    const png = encodePng(pixels, width, height);
    return transfer(png, [png.buffer]);
  },
});
export type Tasks = typeof tasks;
