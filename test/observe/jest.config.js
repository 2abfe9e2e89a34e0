// What is seen of pools from outside: metrics, traces, the live page in a real Chromium, on real servers:
// `npm run test:observe`.
import { fileURLToPath } from 'node:url';
import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: fileURLToPath(new URL('../..', import.meta.url)),
  testMatch: ['<rootDir>/test/observe/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  moduleNameMapper: {
    ...base.moduleNameMapper,
    '^nestjs-pool/(otel|prometheus)$': '<rootDir>/src/$1/index.ts',
    '^content-disposition$': '<rootDir>/test/support/content-disposition.cjs',
    '^@willsoto/nestjs-prometheus$': '<rootDir>/test/support/nestjs-prometheus.ts',
  },
};
