import type { Facts, Settings } from './facts.js';

/** What a pool of the model is made with. */
export type Setup = Partial<Settings & Facts['has']>;

/** Times are short, so that they pass often. */
export const SETTINGS: Settings = {
  min: 0,
  minIdle: 0,
  propagateCreateError: false,
  max: 2,
  overflow: 0,
  processes: 1,
  order: 'lifo',
  acquireTimeout: 1_500,
  maxWaiting: Infinity,
  createTimeout: 400,
  createConcurrency: Infinity,
  growth: 'adaptive',
  createBackoff: { initial: 50, max: 400, factor: 2 },
  unavailableAfter: 3,
  validateAfterIdle: 150,
  keepAlive: Infinity,
  validateTimeout: 200,
  resetTimeout: 200,
  idleTimeout: 5_000,
  maxLifetime: Infinity,
  lifetimeJitter: 0.25,
  maxUses: Infinity,
  maxHold: Infinity,
  maxHoldAction: 'report',
  recycleOnFatal: false,
  shed: undefined,
  destroyTimeout: 300,
};
