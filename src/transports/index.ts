export { isStreamed } from './bodies.js';
export { probeCalls, unknownNest, watchCalls } from './calls.js';
export { beforeGateways, enterHttpScopes, type HttpAdapterLike } from './entry.js';
export { scopeOfContext } from './executions.js';
export { nameOf } from './handlers.js';
export { watchGateway } from './gateways.js';
export { joinHosts, type Application, type Filter } from './hosts.js';
export { HttpScope } from './http.js';
export { holdUntil } from './until.js';
