import { afterEach, beforeEach, describe, it, jest } from '@jest/globals';
import { deepEqual } from 'node:assert/strict';
import { inspect } from 'node:util';
import { messageOf } from '../../src/engine/basics/thrown.js';
import {
  BorrowStory,
  EVENTS,
  OUTCOMES,
  STAGES,
  type Event,
  type Outcome,
  type Outcomes,
  type Result,
  type Stage,
} from '../support/borrow-story.js';
import { checkPoolsAfterEach } from '../support/invariants.js';

checkPoolsAfterEach();
beforeEach(() => {
  // No back-off is 0, none is the same as another by chance.
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const fails = (outcome: Outcome): boolean => outcome === 'throws' || outcome === 'rejects';
const lasts = (outcome: Outcome): boolean => outcome === 'slow' || outcome === 'never';

/** What becomes of somebody who waits at a stage while something happens. */
function expected(stage: Stage, event: Event, outcomes: Outcomes): Result {
  // That is over before anything can happen.
  if (stage === 'create' && outcomes.create === 'throws') return 'unavailable';
  if (event === 'abort') return 'aborted';
  if (event === 'close' || event === 'close now') return 'closed';
  if (event === 'timeout' && isLong(stage, outcomes)) return 'timed out';
  if (stage === 'leased') return 'pending';
  // A create of the old generation that fails says nothing about the new one.
  if (event === 'recycle') return 'served';
  // One failed create, nothing else is live, and unavailableAfter is 1.
  if (stage === 'create' && outcomes.create !== 'ok' && outcomes.create !== 'slow') return 'unavailable';
  return 'served';
}

/** Longer than the timeout of somebody to whom a timeout happens. */
function isLong(stage: Stage, outcomes: Outcomes): boolean {
  if (stage === 'leased') return true;
  // What fails an inspection has to be destroyed before it can be replaced.
  const inspected = stage === 'reset' || stage === 'validate';
  return lasts(outcomes[stage]) || (inspected && fails(outcomes[stage]) && lasts(outcomes.destroy));
}

/** Every stage that is reached, with what becomes of the one who waits there. */
function expectedResults(outcomes: Outcomes, event: Event, at: Stage): Partial<Record<Stage, Result>> {
  const results: Partial<Record<Stage, Result>> = {};
  for (const stage of STAGES) {
    if (stage === 'leased' && at !== 'leased') continue;
    results[stage] = expected(stage, stage === at ? event : 'nothing', outcomes);
    if (stage === at && event.startsWith('close')) break;
  }
  return results;
}

async function check(outcomes: Outcomes, event: Event, at: Stage): Promise<void> {
  const story = new BorrowStory(outcomes, event, at);
  try {
    await story.tell();
    deepEqual(story.results, expectedResults(outcomes, event, at));
  } catch (error) {
    throw new Error(`${inspect(outcomes)}, ${event} during ${at}: ${messageOf(error)}`, { cause: error });
  }
}

describe.each(OUTCOMES)('when create is of the kind "%s"', create => {
  const cases = EVENTS.flatMap(event =>
    // That nothing happens is the same at every stage.
    (event === 'nothing' ? (['leased'] as const) : STAGES).map(at => [event, at] as const),
  );
  it.each(cases)('every borrower is served or told why not: %s during %s', async (event, at) => {
    for (const reset of OUTCOMES) {
      for (const validate of OUTCOMES) {
        for (const destroy of OUTCOMES) await check({ create, reset, validate, destroy }, event, at);
      }
    }
  });
});
