export { PoolDashboardController } from './dashboard.controller.js';
export { PoolDashboardModule } from './dashboard.module.js';
export type {
  PoolDashboardAsyncOptions,
  PoolDashboardOptions,
  PoolDashboardRuntimeOptions,
} from './options.js';
