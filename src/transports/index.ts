export { isStreamed } from './bodies.js';
export { probeCalls, unknownNest, watchCalls } from './calls.js';
export { grpcTimeout, timeoutIn } from './deadline-headers.js';
export { enterHttpScopes, type HttpAdapterLike } from './entry.js';
export { scopeOfContext } from './executions.js';
export { nameOf } from './handlers.js';
export { HttpScope } from './http.js';
export { holdUntil } from './until.js';
