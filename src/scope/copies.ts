const COUNT = Symbol.for('nestjs-pool.copies');

// Symbol.for() is the same for all copies of this module.
const everywhere = globalThis as { [COUNT]?: number };
everywhere[COUNT] = copiesLoaded() + 1;

/** How often this process has loaded this package: as several copies of it, or anew as Jest does. */
export function copiesLoaded(): number {
  return everywhere[COUNT] ?? 0;
}
