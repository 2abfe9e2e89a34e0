export { PooledAgent } from './http/agent.js';
export type { HttpTimeouts } from './http/call-context.js';
export type { HttpTlsOptions } from './http/connect.js';
export type { HttpConnection } from './http/connection.js';
export {
  HttpConnectError,
  HttpConnectionClosedError,
  HttpConnectionTakenError,
  HttpTimeoutError,
  type HttpTimeoutPhase,
} from './http/errors.js';
export { httpPool, type HttpPool, type HttpPoolOptions } from './http/options.js';
export {
  HttpSession,
  type HttpCallOptions,
  type HttpFetchInit,
  type HttpFetchInput,
  type HttpRequestOptions,
  type HttpSessionOptions,
} from './http/session.js';
