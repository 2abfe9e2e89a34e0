import { jest } from '@jest/globals';
import fc from 'fast-check';
import { randomFrom } from '../random.js';
import type { Moment } from './commands.js';
import { sequences, type Weights } from './sequences.js';
import type { Setup } from './setup.js';
import { World } from './world.js';

const { POOL_MODEL_RUNS, POOL_MODEL_SEED, POOL_MODEL_PATH } = process.env;

/**
 * Runs random sequences of commands on pools of one kind, and says of a failure how to have it again.
 *
 * `npm test` runs the same sequences every time, so that it fails for a change and not for bad luck. To hunt for more,
 * set POOL_MODEL_RUNS to how many of each kind: those are others each time.
 *
 * @param test the name of the test, for the command that has a failure again
 * @param hooked has it session hooks?
 * @returns how many sequences kept every promise, and how many leases were given in them
 */
export async function checkSequences(
  test: string,
  runs: number,
  setup: fc.Arbitrary<Setup>,
  weights: Weights,
  hooked: boolean,
): Promise<{ kept: number; leases: number }> {
  const seed = POOL_MODEL_SEED ? Number(POOL_MODEL_SEED) : POOL_MODEL_RUNS ? undefined : 1;
  // Jitter and back-off are drawn from the seed, too.
  const dice = fc.noShrink(fc.integer());
  let leases = 0;
  const details = await fc.check(
    fc.asyncProperty(setup, sequences(weights, hooked), fc.scheduler(), dice, async (...life) => {
      leases += await liveThrough(...life);
    }),
    {
      numRuns: runs,
      ...(seed !== undefined && { seed }),
      ...(POOL_MODEL_PATH && { path: POOL_MODEL_PATH, endOnFailure: true }),
    },
  );
  if (!details.failed) return { kept: details.numRuns, leases };
  const { counterexample, counterexamplePath, errorInstance } = details;
  const [given, moments] = counterexample ?? [];
  throw new Error(
    [
      errorInstance instanceof Error ? errorInstance.message : String(errorInstance),
      `The pool: ${show(given)}\nThe commands:\n${(moments ?? []).map(show).join('\n')}`,
      `Have it again with\nPOOL_MODEL_SEED=${details.seed} POOL_MODEL_PATH="${counterexamplePath ?? ''}" ` +
        `npm run jest -- test/engine/model.spec.ts -t "${test}"`,
    ].join('\n\n'),
  );
}

async function liveThrough(
  { min = 0, max = 1, ...given }: Setup,
  moments: readonly Moment[],
  scheduler: fc.Scheduler,
  dice: number,
): Promise<number> {
  const random = jest.spyOn(Math, 'random').mockImplementation(randomFrom(dice));
  try {
    return await new World({ ...given, min: Math.min(min, max), max }, scheduler).live(moments);
  } finally {
    random.mockRestore();
  }
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (part === Infinity ? 'Infinity' : part));
