import { duration, inTurns, times } from '../measure.mjs';
import { CONTENDERS, OURS, PEERS, filled } from '../pools.mjs';

const WAITERS = times(100_000);
/** They take up to ten seconds for one. */
const SLOW = ['tarn', 'sequelize-pool', 'pg-pool'];

export default {
  letter: 'd',
  name: 'burst',
  title: `A burst of ${WAITERS.toLocaleString('en')} who wait`,
  settings: `10 resources; all come at once, and each gives back at once what it gets; ${SLOW.join(', ')}: one round only`,
  processes: 1,
  tables: { plain: { title: 'until all are served', unit: 'ms' } },

  async run() {
    const quick = {};
    const slow = {};
    for (const name of Object.keys(CONTENDERS)) {
      const pool = await filled(name, { max: 10 });
      const loops = await import(`../loops.mjs?${name}`);
      const group = SLOW.includes(name) ? slow : quick;
      group[name] = () => duration(() => loops.burst(pool, WAITERS));
    }
    return { plain: { ...(await inTurns(quick, times(7), 1)), ...(await inTurns(slow, 1, 0)) } };
  },

  targets(results) {
    const fastest = results.least('plain', PEERS);
    return [
      {
        text: `ahead of every peer by 2.5 × (${fastest})`,
        least: 2.5,
        is: results.ratio('plain', fastest, OURS),
      },
    ];
  },
};
