export * from '../resources/pg.js';
export { InjectPgPool, getPgPoolToken } from './inject.decorator.js';
export { PgPoolModule, type NamedPgPool, type PgPoolDefinition } from './pg-pool.module.js';
