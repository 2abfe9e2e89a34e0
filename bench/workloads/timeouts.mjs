import { times } from '../measure.mjs';
import { CONTENDERS, LIMIT, OURS, PEERS } from '../pools.mjs';

const WAITERS = times(60_000, 5_000);
const TIMEOUT = 300;

export default {
  letter: 'e',
  name: 'timeouts',
  title: `${WAITERS.toLocaleString('en')} who time out at once`,
  settings:
    `1 resource, which is not given back; a timeout of ${TIMEOUT} ms; CPU time from when all of them wait until all have ` +
    'been told. A process for each contender and round, which is ended after 20 s',
  /** A process for each: one that blocks for a minute cannot be stopped otherwise. */
  apart: { contenders: [OURS, ...PEERS], rounds: times(3, 1), patience: 20_000 },
  tables: {
    plain: { title: 'CPU time', unit: 'ms' },
    left: { title: 'left in the queue afterwards', unit: '' },
  },

  async run(name) {
    const pool = CONTENDERS[name]({ max: 1, create: () => ({}), timeout: TIMEOUT });
    // Timers of some pools do not keep the process.
    const alive = setInterval(() => undefined, 1_000);
    await pool.acquire();
    let late = 0;
    const told = [];
    for (let i = 0; i < WAITERS; i++) told.push(pool.acquire().catch(() => late++));
    const before = process.cpuUsage();
    await Promise.all(told);
    const { user, system } = process.cpuUsage(before);
    clearInterval(alive);
    if (late !== WAITERS) throw new Error(`${name}: ${late} of ${WAITERS} timed out`);
    return { plain: { [name]: [(user + system) / 1_000] }, left: { [name]: [pool.waiting()] } };
  },

  targets(results) {
    const fastest = results.least(
      'plain',
      PEERS.filter(name => name !== LIMIT),
    );
    return [
      {
        text: `ahead of every peer by 2 × (${fastest})`,
        least: 2,
        is: results.ratio('plain', fastest, OURS),
      },
      { text: 'nothing left in the queue', most: 0, is: results.value('left', OURS) },
    ];
  },
};
