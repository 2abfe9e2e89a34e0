// Some of the tests, those that tell the most, on the first NestJS 11: npm run test:nest11.0.
import { fileURLToPath } from 'node:url';

process.env.NEST11_FOLDER = fileURLToPath(new URL('.', import.meta.url));
const { default: onNest11 } = await import('../nest11/jest.config.js');

/** @type {import('jest').Config} */
export default {
  ...onNest11,
  globals: { NEST_VERSION: '11.0' },
  // These are run here, and not on the others of NestJS 11.
  testPathIgnorePatterns: [
    ...onNest11.testPathIgnorePatterns.filter(path => !path.startsWith('<rootDir>/test/messages/(suite')),
    '<rootDir>/test/messages/suite/matrix',
  ],
  testMatch: [
    '<rootDir>/test/messages/suite/suite.spec.ts',
    '<rootDir>/test/messages/gateways.spec.ts',
    '<rootDir>/test/messages/graphql/subscriptions.spec.ts',
    '<rootDir>/test/module/{nest-version,registration,lifecycle,borrow-scopes,*-errors}.spec.ts',
    '<rootDir>/test/transports/http-sharing.spec.ts',
  ],
};
