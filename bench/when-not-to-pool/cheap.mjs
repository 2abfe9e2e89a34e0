// Objects whose creation takes a given time, made anew and lent: CPU time of the whole process, garbage collection included.
import { FreeList } from '../../dist/lib/cheap.js';
import { Pool } from '../../dist/lib/engine/index.js';
import { inTurns } from '../measure.mjs';
import { median, quartiles } from '../statistics.mjs';
import { table, told } from './print.mjs';

/** Microseconds. */
const COSTS = [0, 0.1, 1, 10, 100, 1_000];
const ROUNDS = 9;
const ROUND_MS = 30;

/** Where results go, so that the compiler leaves out neither the work nor the object. */
let sink = 0;
const seen = new Array(8).fill(undefined);

/** Objects that live on, as in an application: what is allocated has to be looked at beside them. */
const live = Array.from({ length: 200_000 }, (_, i) => ({ i, text: `number ${i}` }));

const LOOPS = {
  anew:
    ({ create }) =>
    n => {
      for (let i = 0; i < n; i++) use(create(), i);
    },
  FreeList: ({ create, reset }) => {
    const list = new FreeList({ create, reset, max: 8 });
    return n => {
      for (let i = 0; i < n; i++) {
        const item = list.take();
        use(item, i);
        list.give(item);
      }
    };
  },
  tryAcquire: async ({ pool }) => {
    (await pool.acquire()).release();
    return n => {
      for (let i = 0; i < n; i++) {
        const lease = pool.tryAcquire();
        use(lease.resource, i);
        lease.release();
      }
    };
  },
  'Pool.use': ({ pool }) => {
    let i = 0;
    const work = item => use(item, i++);
    return async n => {
      for (let k = 0; k < n; k++) await pool.use(work);
    };
  },
};
const POOLED = Object.keys(LOOPS).slice(1);

export default async function run() {
  const stepsPerMicrosecond = speed();
  const pools = new Map();
  const contenders = {};
  for (const cost of COSTS) {
    const steps = Math.round(cost * stepsPerMicrosecond);
    const options = {
      create: () => ({ x: work(steps), y: 2, z: 3 }),
      reset: item => void (item.x = item.y = item.z = 0),
    };
    const pool = new Pool({ ...options, max: 8 });
    pools.set(cost, pool);
    for (const [name, make] of Object.entries(LOOPS))
      contenders[`${name} ${cost}`] = await timed(await make({ ...options, pool }));
  }
  // All in one row of turns, so that what V8 has seen of their code is the same for all.
  const all = await inTurns(contenders, ROUNDS, 1);
  const measured = COSTS.map(cost => ({
    cost,
    ns: Object.fromEntries(Object.keys(LOOPS).map(name => [name, all[`${name} ${cost}`]])),
  }));
  const stats = pools.get(1).stats();
  for (const pool of pools.values()) await pool.close();
  if (sink === 0.5 || seen.length + live.length === 0) console.log(sink);

  console.log(
    `\nMedians of ${ROUNDS} rounds of ${ROUND_MS} ms, in turns; a reset of three fields is included.`,
  );
  table(
    ['a creation of', 'made anew, ns', ...POOLED.map(name => `${name}, ns`)],
    measured.map(({ cost, ns }) => [
      `${cost} µs`,
      ...Object.values(ns).map(values => number(median(values))),
    ]),
  );
  console.log('\nMade anew ÷ pooled, in the same round, with quartiles: pooling wins above 1.');
  table(
    ['a creation of', ...POOLED],
    measured.map(({ cost, ns }) => [`${cost} µs`, ...POOLED.map(name => ratio(ns, name))]),
  );
  console.log();
  for (const name of POOLED)
    console.log(`${name} begins to win where a creation takes ${crossOver(measured, name)}.`);
  console.log(`\nstats() of the pool where a creation takes 1 µs: ${told(stats)}.`);
}

function use(item, i) {
  seen[i & 7] = item;
  sink += item.x + item.z;
}

function work(steps) {
  let x = sink & 1;
  for (let i = 0; i < steps; i++) x = (Math.imul(x, 31) + i) | 0;
  return x & 1;
}

/** How many steps of `work` take a microsecond. */
function speed() {
  const rates = Array.from({ length: 20 }, () => {
    const began = performance.now();
    sink += work(2_000_000);
    return 2_000_000 / ((performance.now() - began) * 1_000);
  });
  // What else the machine does makes it slower, never faster.
  return Math.max(...rates);
}

/** @returns what measures one round of it: nanoseconds of CPU time for each */
async function timed(loop) {
  const cpu = async n => {
    const before = process.cpuUsage();
    await loop(n);
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1_000;
  };
  let n = 1;
  while (true) {
    const ns = await cpu(n);
    if (ns >= ROUND_MS * 1e6) break;
    n = Math.ceil(n * Math.min(10, Math.max(1.2, (ROUND_MS * 1.1e6) / Math.max(ns, 1))));
  }
  return async () => (await cpu(n)) / n;
}

function ratio(ns, name) {
  const ratios = ns.anew.map((anew, round) => anew / ns[name][round]);
  const [low, high] = quartiles(ratios);
  return `${figure(median(ratios))} (${figure(low)} to ${figure(high)})`;
}

/** Where the line from the last measured cost that loses to the first that wins crosses zero. */
function crossOver(measured, name) {
  const gain = ({ ns }) => median(ns.anew.map((anew, round) => anew - ns[name][round]));
  const wins = measured.findIndex(each => gain(each) > 0);
  if (wins === 0) return 'no time worth mentioning';
  if (wins < 0) return `more than ${COSTS.at(-1)} µs`;
  const [below, above] = [measured[wins - 1], measured[wins]];
  const share = -gain(below) / (gain(above) - gain(below));
  return `about ${number((below.cost + share * (above.cost - below.cost)) * 1_000)} ns`;
}

const number = ns => (ns < 100 ? ns.toFixed(0) : Number(ns.toPrecision(3)).toLocaleString('en'));
const figure = value => Number(value.toPrecision(2)).toLocaleString('en', { maximumFractionDigits: 3 });
