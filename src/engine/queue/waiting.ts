import type { Lease } from '../lease.js';
import type { Deadlines } from '../time/deadlines.js';
import type { WaitingOwners } from './owners.js';
import type { Standstill } from '../time/standstill.js';
import type { WaiterQueue } from './waiter-queue.js';

/** Those who wait for something that a pool has. */
export interface Waiting<T> {
  /** Their time; it stands still while the pool is suspended. */
  readonly waits: Deadlines;
  readonly waiters: WaiterQueue<Lease<T>>;
  readonly owners: WaitingOwners;
  readonly standstill: Standstill;
}
