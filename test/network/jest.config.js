// Resources over the network, each on its real server: `npm run test:network`. Apart from the others, as starting,
// stopping and breaking servers takes its time.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/network/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 60_000,
  maxWorkers: 2,
  // Each file has a process of its own: the contract counts what is left in it, and libraries leave something now and then.
  workerIdleMemoryLimit: '1MB',
};
