export { wrapHandlers } from './handlers.js';
export { HttpScope, enterHttpScopes, scopeOfResponse, type HttpAdapterLike } from './http.js';
