import { createRequire } from 'node:module';
import { KeyedPool } from '../../dist/lib/engine/index.js';
import { cost, inTurns, times } from '../measure.mjs';

const KEYS = times(10_000, 500);
const OPERATIONS = times(30_000);
const require = createRequire(import.meta.url);

export default {
  letter: 'l',
  name: 'keyed',
  title: `Pools by key, with ${KEYS.toLocaleString('en')} keys`,
  settings: `one resource each, ${OPERATIONS.toLocaleString('en')} borrows of random keys a round; beside it a \`Map\` of generic-pools, and one of arrays`,
  processes: times(3, 1),
  tables: { plain: { title: '', unit: 'ns' } },

  async run() {
    const keys = Array.from({ length: OPERATIONS }, () => `tenant-${Math.floor(Math.random() * KEYS)}`);
    const ways = {
      'nestjs-pool, KeyedPool': keyedPool(),
      'Map of generic-pools': mapOfPools(),
      'Map of arrays': mapOfArrays(),
    };
    const contenders = {};
    for (const [name, borrow] of Object.entries(ways)) {
      contenders[name] = () =>
        cost(OPERATIONS, async () => {
          for (const key of keys) await borrow(key);
        });
    }
    return { plain: await inTurns(contenders, times(6), 2) };
  },

  // Nobody else has a total over all keys, and an order in which idle ones of other keys make room.
  targets: () => [],
};

function keyedPool() {
  const pools = new KeyedPool({ create: ({ key }) => ({ key }), maxTotal: KEYS, max: 1 });
  return async key => (await pools.acquire(key)).release();
}

function mapOfPools() {
  const { createPool } = require('generic-pool');
  const pools = new Map();
  return async key => {
    let pool = pools.get(key);
    if (!pool)
      pools.set(
        key,
        (pool = createPool({ create: async () => ({ key }), destroy: async () => undefined }, { max: 1 })),
      );
    const item = await pool.acquire();
    await pool.release(item);
  };
}

function mapOfArrays() {
  const arrays = new Map();
  return async key => {
    let array = arrays.get(key);
    if (!array) arrays.set(key, (array = [{ key }]));
    const item = await Promise.resolve(array.pop());
    array.push(item);
  };
}
