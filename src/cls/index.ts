export {
  TransactionalAdapterNestjsPool,
  type NestjsPoolAdapterOptions,
  type NestjsPoolTransaction,
  type NestjsPoolTransactionOptions,
} from './adapter.js';
