// What pools tell: to telemetry, to Prometheus, and on the live page. With real servers and a real browser:
// `npm run test:observe`.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/observe/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
