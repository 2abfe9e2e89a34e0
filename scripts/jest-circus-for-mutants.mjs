// How Jest runs one test file against a mutant. A mutant is dead after the first test that fails, and a file without a
// test that reaches the mutant need not be loaded: Stryker alone runs all of it to the end, every time.
// (Stryker accepts a runner only with jest-circus in its name.)
import circus from 'jest-circus/runner';

/** The mutant that a test has killed. */
let dead;
/** The names of the tests in each file, once it was loaded. */
const namesIn = new Map();

export default async function runForMutant(globalConfig, config, environment, runtime, path, send) {
  const mutant = process.env.__STRYKER_ACTIVE_MUTANT__;
  const run = () => circus.default(globalConfig, config, environment, runtime, path, send);
  if (mutant === undefined) return run();

  const wanted = new RegExp(globalConfig.testNamePattern ?? '', 'i');
  const known = namesIn.get(path);
  if (dead === mutant || known?.some(name => wanted.test(name)) === false) return passedOver(path);

  skipAfterFailure(environment);
  let result;
  try {
    result = await run();
  } catch (error) {
    result = { ...passedOver(path), testExecError: error };
  }
  const names = result.testResults.map(test => test.fullName);
  if (result.testExecError) blame(names.find(name => wanted.test(name)) ?? path, result);
  else namesIn.set(path, names);
  if (result.numFailingTests > 0) dead = mutant;
  return result;
}

/** Has the tests after a failed one skipped. */
function skipAfterFailure(environment) {
  let failed = false;
  const listen = environment.handleTestEvent?.bind(environment);
  environment.handleTestEvent = async (event, state) => {
    if (event.name === 'test_start' && failed) event.test.mode = 'skip';
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') failed = true;
    await listen?.(event, state);
  };
}

/** An error outside any test fails the file; for Stryker it would be no result at all. */
function blame(test, result) {
  const { message, stack } = result.testExecError;
  result.testResults.push({
    fullName: test,
    status: 'failed',
    failureMessages: [stack ?? message],
    duration: 0,
  });
  result.numFailingTests++;
  delete result.testExecError;
}

/** What Jest gets for a file that was not loaded; it takes no file for good that has no test. */
function passedOver(testFilePath) {
  return {
    testFilePath,
    testResults: [{ fullName: testFilePath, status: 'pending', failureMessages: [], duration: 0 }],
    numPassingTests: 0,
    numFailingTests: 0,
    numPendingTests: 1,
    numTodoTests: 0,
    openHandles: [],
    perfStats: { start: 0, end: 0, runtime: 0, slow: false },
    snapshot: {
      added: 0,
      fileDeleted: false,
      matched: 0,
      unchecked: 0,
      uncheckedKeys: [],
      unmatched: 0,
      updated: 0,
    },
    skipped: false,
    leaks: false,
  };
}
