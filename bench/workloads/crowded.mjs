import { cost, inTurns, times } from '../measure.mjs';
import { CONTENDERS, OURS, filled } from '../pools.mjs';

const OPERATIONS = times(20_000);

export default {
  letter: 'b',
  name: 'crowded',
  title: '900 of 1,000 borrowed: acquire and release one more',
  settings: `1,000 resources, 900 of them borrowed all the time, ${OPERATIONS.toLocaleString('en')} borrows a round`,
  processes: times(3, 1),
  tables: { plain: { title: '', unit: 'ns' } },

  async run() {
    const contenders = {};
    for (const name of Object.keys(CONTENDERS)) {
      const pool = await filled(name, { max: 1_000 });
      for (let i = 0; i < 900; i++) await pool.acquire();
      const loops = await import(`../loops.mjs?${name}`);
      contenders[name] = () => cost(OPERATIONS, () => loops.oneByOne(pool, OPERATIONS));
    }
    return { plain: await inTurns(contenders, times(8)) };
  },

  targets: results => [
    {
      text: 'within 1.3 × of (a)',
      most: 1.3,
      is: results.value('plain', OURS) / results.of('idle').value('plain', OURS),
    },
  ],
};
