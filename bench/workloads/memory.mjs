import { CONTENDERS, LIMIT, OURS, PEERS } from '../pools.mjs';
import { times } from '../measure.mjs';

const RESOURCES = times(10_000, 1_000);
const WAITERS = times(100_000, 5_000);

export default {
  letter: 'g',
  name: 'memory',
  title: 'Memory',
  settings: `${RESOURCES.toLocaleString('en')} idle resources, then ${WAITERS.toLocaleString('en')} who wait, their promises included; a process for each`,
  apart: { contenders: Object.keys(CONTENDERS), rounds: 1, patience: 60_000 },
  tables: {
    idle: { title: 'of an idle resource', unit: 'bytes' },
    waiter: { title: 'of one who waits', unit: 'bytes' },
  },

  async run(name) {
    const pool = CONTENDERS[name]({ max: RESOURCES, create: () => ({}) });
    await pool.acquire().then(item => pool.release(item));
    const empty = heap();
    const all = await Promise.all(Array.from({ length: RESOURCES }, () => pool.acquire()));
    for (const item of all) pool.release(item);
    all.length = 0;
    await new Promise(resolve => setTimeout(resolve, 50));
    const idle = (heap() - empty) / RESOURCES;

    const busy = CONTENDERS[name]({ max: 1, create: () => ({}) });
    await busy.acquire();
    const promises = new Array(WAITERS);
    const before = heap();
    for (let i = 0; i < WAITERS; i++) promises[i] = busy.acquire();
    for (const promise of promises) promise.catch?.(() => undefined);
    const waiter = (heap() - before) / WAITERS;
    // Until here they have to be there.
    if (promises.length !== WAITERS || busy.waiting() !== WAITERS)
      throw new Error(`${name} has lost somebody`);
    // The array had its resources before the first look.
    return { idle: name === LIMIT ? {} : { [name]: [idle] }, waiter: { [name]: [waiter] } };
  },

  targets(results) {
    const leanest = results.least('waiter', PEERS);
    return [
      {
        text: `less for one who waits than every peer (${leanest})`,
        least: 1,
        is: results.ratio('waiter', leanest, OURS),
      },
    ];
  },
};

/** Here a collection is right: nothing is timed. */
function heap() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}
