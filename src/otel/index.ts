export { instrumentPools } from './instrument-pools.js';
export { otel } from './otel.js';
export type { ObservedPool, OtelOptions } from './options.js';
