export { holdWhileRunning, wrapHandlers } from './handlers.js';
export { HttpScope, enterHttpScopes, scopeOfRequest, type HttpAdapterLike } from './http.js';
