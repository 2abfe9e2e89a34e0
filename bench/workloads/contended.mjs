import { cost, inTurns, times } from '../measure.mjs';
import { CONTENDERS, LIMIT, OURS, PEERS, filled } from '../pools.mjs';

const OPERATIONS = times(30_000);

export default {
  letter: 'c',
  name: 'contended',
  title: '200 workers on 10 resources',
  settings: `each holds its resource while one promise is awaited; ${OPERATIONS.toLocaleString('en')} borrows a round`,
  processes: times(3, 1),
  tables: { plain: { title: '', unit: 'ns' } },

  async run() {
    const contenders = {};
    for (const name of Object.keys(CONTENDERS)) {
      const pool = await filled(name, { max: 10 });
      const loops = await import(`../loops.mjs?${name}`);
      contenders[name] = () => cost(OPERATIONS, () => loops.workers(pool, 200, OPERATIONS));
    }
    return { plain: await inTurns(contenders, times(10)) };
  },

  targets(results) {
    const fastest = results.least('plain', PEERS);
    return [
      { text: 'at most 1.1 × the plain array', most: 1.1, is: results.ratio('plain', OURS, LIMIT) },
      {
        text: `ahead of every peer by 1.3 × (${fastest})`,
        least: 1.3,
        is: results.ratio('plain', fastest, OURS),
      },
    ];
  },
};
