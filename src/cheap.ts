export { PoolOptionsError } from './engine/errors.js';
export { BufferPool, type BufferPoolOptions } from './cheap/buffer-pool.js';
export { PoolMisuseError } from './cheap/errors.js';
export { FreeList, type FreeListOptions } from './cheap/free-list.js';
export { Interner, type InternerOptions } from './cheap/interner.js';
export type { LentBuffer } from './cheap/lent-buffer.js';
export { memo, type MemoOptions } from './cheap/memo.js';
