import { cost, inTurns, times } from '../measure.mjs';
import { CONTENDERS, LIMIT, OURS, filled } from '../pools.mjs';

const OPERATIONS = times(50_000);
const RESOURCES = [10, 1_000, 100_000];
const WAITERS = [10, 100, 1_000, 10_000, 100_000, 1_000_000].filter(count => count <= times(1_000_000));

export default {
  letter: 'h',
  name: 'scaling',
  title: 'What size does to the cost of an operation',
  settings:
    `${OPERATIONS.toLocaleString('en')} borrows of pools with so many idle resources; so many waiting on one resource, where ` +
    'one comes and one is served each time',
  processes: times(2, 1),
  tables: {
    resources: { title: 'by how many resources there are', unit: 'ns' },
    waiters: { title: 'by how many wait', unit: 'ns' },
    array: {
      title: 'by how many wait for the plain array, which does the least that can be done',
      unit: 'ns',
    },
  },

  async run() {
    const byResources = {};
    for (const count of RESOURCES) {
      const pool = await filled(OURS, { max: count });
      const loops = await import(`../loops.mjs?${count}`);
      byResources[size(count)] = () => cost(OPERATIONS, () => loops.oneByOne(pool, OPERATIONS));
    }
    const tables = { resources: await inTurns(byResources, times(8)) };
    for (const [table, name] of [
      ['waiters', OURS],
      ['array', LIMIT],
    ]) {
      const byWaiters = {};
      for (const count of WAITERS) byWaiters[size(count)] = await queueOf(name, count);
      tables[table] = await inTurns(byWaiters, times(5));
    }
    return tables;
  },

  targets: results =>
    ['resources', 'waiters'].map(table => {
      const values = results.names(table).map(name => results.value(table, name));
      return {
        text: `flat within 1.5 × over all numbers of ${table}`,
        most: 1.5,
        is: Math.max(...values) / Math.min(...values),
      };
    }),
};

const size = count => count.toLocaleString('en');

/** The queue stays as long as it is: who is served is followed by another who comes. */
async function queueOf(name, length) {
  const pool = CONTENDERS[name]({ max: 1, create: () => ({}) });
  let holder = await pool.acquire();
  const queue = [];
  let first = 0;
  for (let i = 0; i < length; i++) queue.push(pool.acquire());
  return () =>
    cost(OPERATIONS, async () => {
      for (let i = 0; i < OPERATIONS; i++) {
        queue.push(pool.acquire());
        pool.release(holder);
        holder = await queue[first];
        queue[first++] = undefined;
      }
      queue.splice(0, first);
      first = 0;
    });
}
