export * from '../resources/http.js';
export type { HttpSessionDefinition, HttpSessionsOptions } from './definition.js';
export { HttpSessionModule } from './http-session.module.js';
export { InjectHttp, getHttpToken } from './inject.decorator.js';
