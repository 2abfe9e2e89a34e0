// What looks at pools: OpenTelemetry, Prometheus, the dashboard. With their real SDKs: `npm run test:observe`.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/observe/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
