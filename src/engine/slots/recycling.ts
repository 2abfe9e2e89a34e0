import type { Retirement } from './retirement.js';
import type { Slot } from './slot.js';
import type { Stock } from './stock.js';
import type { Upkeep } from './upkeep.js';

/**
 * Ends the generation of all resources that there are: idle ones at once, or each at a random moment within `spread`;
 * those in use when they come back; those that something is being done with when it is done.
 */
export function recycle<T>(
  pool: Stock<T>,
  upkeep: Upkeep<T>,
  retirement: Retirement<T>,
  spread: number,
): void {
  const { idle, slots, clock } = pool;
  const now = clock.now();
  const ending: Slot<T>[] = [];
  for (const slot of slots) {
    if (!idle.has(slot)) {
      slot.condemn('recycled');
    } else if (spread > 0) {
      upkeep.recycles(slot, now, now + spread * Math.random());
    } else {
      idle.remove(slot);
      ending.push(slot);
    }
  }
  // Out of the list before the first of them is destroyed: user code runs then, and may borrow.
  for (const slot of ending) retirement.retire(slot, 'recycled');
}
