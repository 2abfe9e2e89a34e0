export { ioredisPool, type IoredisPool, type IoredisPoolOptions } from './redis/ioredis-pool.js';
export { nodeRedisPool, type NodeRedisPool, type NodeRedisPoolOptions } from './redis/node-redis-pool.js';
export type { SessionReset } from './redis/session.js';
