// How the workloads measure.
import { median, quartiles } from './statistics.mjs';

const QUICK = process.env.BENCH_QUICK === '1';

/** As many, or a few to see whether it works. */
export const times = (many, few = Math.max(1, Math.ceil(many / 20))) => (QUICK ? few : many);

/** Nanoseconds of CPU time for each of so many operations: other programs change it less than the time by the clock. */
export async function cost(operations, work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / operations;
}

/** Milliseconds by the clock. */
export async function duration(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Lets everything happen that can happen now. */
export const settled = () => new Promise(resolve => setTimeout(resolve, 5));

/**
 * Runs everybody's `work` in turns, in another order each round, after a few rounds that do not count.
 *
 * Never with a `gc()` in between: it throws away compiled code as well, and what is measured then is the interpreter.
 *
 * @param contenders by name, what returns one measurement
 * @returns by name, all measurements
 */
export async function inTurns(contenders, rounds, warmUp = 2) {
  const names = Object.keys(contenders);
  const measured = Object.fromEntries(names.map(name => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + warmUp) % names.length];
      const value = await contenders[name]();
      if (round >= 0) measured[name].push(value);
      await settled();
    }
  }
  return measured;
}

/** What a table shows of the measurements of one contender. */
export function row(values) {
  const [low, high] = quartiles(values);
  return { value: median(values), low, high, samples: values.length };
}

/** Something that a workload needs is not there. */
export class Skipped extends Error {}
