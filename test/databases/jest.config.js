// What stands on a PostgreSQL: the libraries that take a pg.Pool, sessions, transactions, faults: `npm run test:databases`.
// Apart from the others, as it takes its time.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/{databases,pg,faults}/**/*.spec.ts', '<rootDir>/test/resources/pg*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 60_000,
  maxWorkers: 2,
  moduleNameMapper: {
    ...base.moduleNameMapper,
    '^@nestjs-cls/transactional$': '<rootDir>/test/support/cls-transactional.ts',
  },
};
