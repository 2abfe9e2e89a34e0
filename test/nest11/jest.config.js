// The tests of everything that knows NestJS, from the same sources, on NestJS 11: npm run test:nest11.
import { fileURLToPath } from 'node:url';
import onNest12 from '../../jest.config.js';

// For the processes that tests start.
const hooks = new URL('node-hooks.js', import.meta.url).href;
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${hooks}`.trim();

// A thousand of each kind are enough on one of the two.
process.env.VANISHING_CLIENTS ??= '50';

/** @type {import('jest').Config} */
export default {
  ...onNest12,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  resolver: '<rootDir>/test/nest11/jest-resolver.js',
  globals: { NEST_VERSION: '11' },
  moduleNameMapper: {
    ...onNest12.moduleNameMapper,
    '^content-disposition$': '<rootDir>/test/support/content-disposition.cjs',
    '^@willsoto/nestjs-prometheus$': '<rootDir>/test/support/nestjs-prometheus.ts',
  },
  // All the others: a new folder is in unless it is named here. Of those over the network and on databases some are about NestJS.
  testPathIgnorePatterns: [
    ...onNest12.testPathIgnorePatterns.filter(
      path => !/\/(network|databases|messages|observe|pg)\//.test(path),
    ),
    '<rootDir>/test/network/(?!http/nest\\.)',
    '<rootDir>/test/databases/(?!nest/(borrow-transaction|transactional|graphql-transaction)\\.)',
    // On NestJS 11.0 and 12, which is before and after. What the matrix compares with is of 12.
    '<rootDir>/test/messages/(suite/|gateways\\.|graphql/subscriptions\\.)',
    // The built examples are of NestJS 12.
    '<rootDir>/test/messages/examples/',
    // What is about browsers, proxies, formats and PromQL finds nothing here that it does not on NestJS 12.
    '<rootDir>/test/observe/(?!dashboard/module\\.|prometheus/(metrics|life)\\.)',
    // A thousand clients more, which find nothing that those on NestJS 12 do not.
    '<rootDir>/test/messages/graphql/vanishing',
    '<rootDir>/test/(cheap|engine|examples|faults|resources|storm)/',
  ],
};
