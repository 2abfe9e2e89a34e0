// Mutation testing of the engine: `npm run mutation`. How to read the result, and what stays alive: docs/testing.md.

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: ['src/engine/**/*.ts'],
  // Not copied for the mutants.
  ignorePatterns: ['/.ci', '/bench', '/dist', '/docs', '/examples'],

  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning'],
  jest: {
    projectType: 'custom',
    configFile: 'jest.config.js',
    config: {
      testMatch: ['<rootDir>/test/engine/**/*.spec.ts'],
      // Random ones and loads are left out: each mutant would pay for all their runs, and what only luck finds is not
      // pinned.
      // Counted steps (constant-cost) are others in mutated code.
      testPathIgnorePatterns: [
        '/node_modules/',
        '/(.+-random|constant-cost|keyed-load|model|outcome-matrix|overload|steady-load)\\.spec\\.ts$',
      ],
      testRunner: '<rootDir>/scripts/jest-circus-for-mutants.mjs',
      // A promise that never settles is a hang; every clock here is turned by hand.
      testTimeout: 5_000,
    },
    // By coverage, test by test; what imports what says nothing when every test imports the whole engine.
    enableFindRelatedTests: false,
  },
  coverageAnalysis: 'perTest',
  // Most of the option rules, their defaults and the events are static: to ignore them is not to test them.
  ignoreStatic: false,

  concurrency: 2,
  // An endless loop ends when a mutant is hit a hundred times as often as usual, or after this.
  timeoutMS: 15_000,
  timeoutFactor: 1.5,
  // Each run leaves its modules behind in the worker (nodejs/node#33439).
  maxTestRunnerReuse: 100,

  reporters: ['clear-text', 'progress', 'html', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: 'reports/mutation/index.html' },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  incrementalFile: 'reports/mutation/incremental.json',
  thresholds: { high: 95, low: 90, break: 90 },
};
