import { cost, inTurns, times } from '../measure.mjs';
import { CONTENDERS, OURS } from '../pools.mjs';

const WAITERS = times(60_000, 2_000);

export default {
  letter: 'f',
  name: 'aborts',
  title: `${WAITERS.toLocaleString('en')} who give up`,
  settings:
    '1 resource, which is not given back; all wait, then all give up: an `AbortSignal` for each, `abort()` of what tarn ' +
    'gives. Nobody can stop waiting for generic-pool, lightning-pool, sequelize-pool and pg-pool',
  processes: 1,
  tables: {
    plain: { title: 'from the first that gives up until all have been told', unit: 'ns for each' },
    left: { title: 'left in the queue afterwards', unit: '' },
  },

  async run() {
    const left = { [OURS]: [], tarn: [] };
    const contenders = {
      [OURS]: await giveUp(OURS, left, pool => {
        const controller = new AbortController();
        return { promise: pool.abortable(controller.signal), stop: () => controller.abort() };
      }),
      tarn: await giveUp('tarn', left, pool => {
        const pending = pool.pending();
        return { promise: pending.promise, stop: () => pending.abort() };
      }),
    };
    return { plain: await inTurns(contenders, times(3), 1), left };
  },

  targets: results => [
    {
      text: 'ahead of every peer that can by 2 × (tarn)',
      least: 2,
      is: results.ratio('plain', 'tarn', OURS),
    },
    { text: 'nothing left in the queue', most: 0, is: results.value('left', OURS) },
  ],
};

async function giveUp(name, left, wait) {
  const pool = CONTENDERS[name]({ max: 1, create: () => ({}) });
  await pool.acquire();
  return async () => {
    const all = Array.from({ length: WAITERS }, () => wait(pool));
    const told = Promise.all(all.map(({ promise }) => promise.catch(() => undefined)));
    const spent = await cost(WAITERS, async () => {
      for (const { stop } of all) stop();
      await told;
    });
    left[name].push(pool.waiting());
    return spent;
  };
}
