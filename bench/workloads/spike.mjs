import { setTimeout as sleep } from 'node:timers/promises';
import { duration, inTurns, times } from '../measure.mjs';
import { CONTENDERS } from '../pools.mjs';

const CALLERS = 50;
const SPIKE = { createMs: 150, heldMs: 2, idle: 5 };
const RAMP = { createMs: 20, heldMs: 200, idle: 5 };

const GROWTHS = {
  adaptive: { growth: 'adaptive' },
  eager: { growth: 'eager' },
  single: { growth: 'single' },
};
const OTHERS = ['generic-pool', 'tarn', 'lightning-pool'];

export default {
  letter: 'i',
  name: 'spike',
  title: `A spike of ${CALLERS} callers on 5 idle resources, max ${CALLERS}`,
  settings:
    `HikariCP's spike: connecting takes ${SPIKE.createMs} ms, a query ${SPIKE.heldMs} ms. And a ramp-up: creating takes ` +
    `${RAMP.createMs} ms, the work ${RAMP.heldMs} ms. A new pool each time, which has been used before`,
  processes: 1,
  tables: {
    spike: { title: 'the spike: until all are served', unit: 'ms' },
    made: { title: 'the spike: resources at the end', unit: '' },
    ramp: { title: 'the ramp-up: until all are served', unit: 'ms' },
    grown: { title: 'the ramp-up: resources at the end', unit: '' },
  },

  async run() {
    const [spike, made] = await situation(SPIKE);
    const [ramp, grown] = await situation(RAMP);
    return { spike, made, ramp, grown };
  },

  targets: results => [
    {
      text: 'adaptive growth ends the spike with at most 6',
      most: 6,
      is: results.value('made', 'nestjs-pool, adaptive'),
    },
    ...['spike', 'ramp'].map(table => ({
      text: `adaptive growth serves everybody no later than eager growth (${table}), within 1.15 ×`,
      most: 1.15,
      is: results.ratio(table, 'nestjs-pool, adaptive', 'nestjs-pool, eager'),
    })),
  ],
};

async function situation({ createMs, heldMs, idle }) {
  const sizes = {};
  const contenders = {};
  const contend = (name, make) => {
    sizes[name] = [];
    contenders[name] = async () => {
      const pool = make(() => sleep(createMs, {}));
      const borrow = async () => {
        const item = await pool.acquire();
        await sleep(heldMs);
        pool.release(item);
      };
      await Promise.all(Array.from({ length: idle }, borrow));
      const took = await duration(() => Promise.all(Array.from({ length: CALLERS }, borrow)));
      // What has been begun is still to come.
      await sleep(createMs * 2);
      sizes[name].push(pool.size());
      await pool.close();
      return took;
    };
  };
  for (const [name, growth] of Object.entries(GROWTHS)) {
    contend(`nestjs-pool, ${name}`, create => CONTENDERS['nestjs-pool']({ max: CALLERS, create, ...growth }));
  }
  for (const name of OTHERS) contend(name, create => CONTENDERS[name]({ max: CALLERS, create }));
  return [await inTurns(contenders, times(5), 0), sizes];
}
