import { brand } from '../engine/basics/brand.js';

/** A cheap pool was used in a way that would hand one thing to two users, or a wrong thing to one. */
export class PoolMisuseError extends Error {
  readonly code = 'POOL_MISUSE';

  /** @param pool which kind of pool refused: `FreeList`, `BufferPool`, `Interner` or `memo` */
  constructor(
    readonly pool: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(`${pool}: ${message}`, options);
    this.name = new.target.name;
  }
}

brand({ PoolMisuseError });
