/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  // These have configurations of their own: npm run test:rollout, test:network, test:databases, test:messages.
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/test/fixtures/',
    '<rootDir>/test/rollout/',
    '<rootDir>/test/network/',
    '<rootDir>/test/messages/',
    '<rootDir>/test/databases/',
    '<rootDir>/test/observe/',
    '<rootDir>/test/pg/',
    '<rootDir>/test/faults/',
    '<rootDir>/test/resources/pg',
  ],
  testTimeout: 30_000,
  // One more than the two cores that this is made for: much of the time is spent waiting for servers and processes.
  maxWorkers: 3,
  // The version of NestJS that the tests are to find, so that they cannot run on another unnoticed; 11 in test/nest11.
  globals: { NEST_VERSION: '12' },
  extensionsToTreatAsEsm: ['.ts'],
  // Sources name each other as they are called when compiled.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: [
    '<rootDir>/dist/',
    '<rootDir>/test/fixtures/commonjs-app/',
    '<rootDir>/.stryker-tmp/',
  ],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          // The last as in tsconfig.base.json, so that the tests run on what is built.
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
      },
    ],
  },
};
