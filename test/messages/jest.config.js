// Work that is no HTTP request: messages over WebSockets and microservices, GraphQL subscriptions, jobs. On real servers,
// with real clients: `npm run test:messages`.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/messages/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  moduleNameMapper: {
    ...base.moduleNameMapper,
    '^content-disposition$': '<rootDir>/test/support/content-disposition.cjs',
  },
};
