import { AsyncLocalStorage } from 'node:async_hooks';
import { Pool } from '../../dist/lib/engine/index.js';
import { cost, inTurns, times } from '../measure.mjs';
import { CONTENDERS, LIMIT, OURS, PEERS, filled } from '../pools.mjs';

const OPERATIONS = times(30_000);

export default {
  letter: 'a',
  name: 'idle',
  title: 'An idle resource: acquire and release',
  settings: `10 resources, one borrower, ${OPERATIONS.toLocaleString('en')} borrows a round`,
  processes: times(3, 1),
  tables: {
    plain: { title: 'as it is', unit: 'ns' },
    als: { title: 'with an AsyncLocalStorage active', unit: 'ns' },
    sync: { title: 'without waiting: `tryAcquire`, and `pop` and `push`', unit: 'ns' },
  },

  async run() {
    const plain = await oneByOne();
    const sync = await withoutWaiting();
    // Last: once there was an AsyncLocalStorage, every promise of the process costs more.
    const als = await new AsyncLocalStorage().run({}, oneByOne);
    return { plain, als, sync };
  },

  targets: results =>
    ['plain', 'als']
      .flatMap(table => {
        const fastest = results.least(table, PEERS);
        const where = table === 'als' ? ', with an AsyncLocalStorage active' : '';
        return [
          { text: `at most 2 × the plain array${where}`, most: 2, is: results.ratio(table, OURS, LIMIT) },
          {
            text: `at least 4 × faster than the fastest peer (${fastest})${where}`,
            least: 4,
            is: results.ratio(table, fastest, OURS),
          },
        ];
      })
      .concat({
        text: '`tryAcquire` and release at most 8 × `pop` and `push`',
        most: 8,
        is: results.ratio('sync', OURS, LIMIT),
      }),
};

async function oneByOne() {
  const contenders = {};
  for (const name of Object.keys(CONTENDERS)) {
    const pool = await filled(name, { max: 10 });
    const loops = await import(`../loops.mjs?${name}`);
    contenders[name] = () => cost(OPERATIONS, () => loops.oneByOne(pool, OPERATIONS));
  }
  return inTurns(contenders, times(12), 3);
}

async function withoutWaiting() {
  const operations = OPERATIONS * 5;
  const pool = new Pool({ create: () => ({}), max: 10 });
  const all = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
  for (const lease of all) lease.release();
  const items = Array.from({ length: 10 }, () => ({}));
  const loops = await import('../loops.mjs?sync');
  return inTurns(
    {
      [OURS]: () => cost(operations, () => loops.atOnce(pool, operations)),
      [LIMIT]: () => cost(operations, () => loops.popAndPush(items, operations)),
    },
    times(12),
    3,
  );
}
