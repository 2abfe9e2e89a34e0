export { PoolOptionsError } from './engine/errors.js';
export { PoolMisuseError } from './cheap/errors.js';
export { FreeList, type FreeListOptions } from './cheap/free-list.js';
