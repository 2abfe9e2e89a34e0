export { wrapHandlers } from './handlers.js';
export { HttpScope, enterHttpScopes, type HttpAdapterLike } from './http.js';
