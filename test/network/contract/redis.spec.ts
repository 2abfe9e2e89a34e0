import { once, type EventEmitter } from 'node:events';
import { Redis } from 'ioredis';
import type { Pool, PoolSettings } from '../../../src/engine/index.js';
import { LocalRedis, rowsOf, whyNoRedis, type ClientRow } from '../../support/redis.js';
import { REDIS_SUBJECTS, type RedisSubject } from '../../support/redis-subjects.js';
import { keepsTheContract } from './contract.js';
import type { Backend } from './subject.js';

const NAME = 'contract';

class RedisBackend implements Backend<EventEmitter> {
  constructor(
    private readonly local: LocalRedis,
    private readonly subject: RedisSubject,
  ) {}

  get port(): number {
    return this.local.port;
  }

  pool(port: number, settings: PoolSettings): Pool<EventEmitter> {
    return this.subject.pool({ host: '127.0.0.1', port, connectionName: NAME, ...settings });
  }

  async session(client: EventEmitter): Promise<string> {
    return String(await this.subject.call(client, 'CLIENT', 'ID'));
  }

  slow(client: EventEmitter, ms: number): Promise<unknown> {
    // 0 would be for ever.
    return this.subject.blPop(client, 'nothing-comes', Math.max(ms, 1) / 1_000);
  }

  async stain(client: EventEmitter): Promise<void> {
    await this.subject.select(client, 3);
    await this.subject.call(client, 'CLIENT', 'SETNAME', 'stained');
    await this.subject.watch(client, 'key');
  }

  async isStained(client: EventEmitter): Promise<boolean> {
    const [row] = rowsOf(String(await this.subject.call(client, 'CLIENT', 'INFO')));
    return row!.db !== '0' || row!.name !== NAME;
  }

  async sessions(): Promise<string[]> {
    return (await this.rows()).map(({ id }) => id);
  }

  async running(): Promise<number> {
    return (await this.rows()).filter(({ flags }) => flags.includes('b')).length;
  }

  async kill(session: string): Promise<void> {
    await this.look('CLIENT', 'KILL', 'ID', session);
  }

  stop(): Promise<void> {
    return this.local.stop();
  }

  start(): Promise<void> {
    return this.local.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.local.stop();
  }

  private async rows(): Promise<ClientRow[]> {
    return rowsOf(String(await this.look('CLIENT', 'LIST'))).filter(({ name }) =>
      /contract|stained/.test(name),
    );
  }

  private async look(...args: [string, ...string[]]): Promise<unknown> {
    const observer = new Redis({ ...this.local.address, retryStrategy: null });
    observer.on('error', () => undefined);
    try {
      return await observer.call(...args);
    } finally {
      const ended = once(observer, 'end');
      observer.disconnect();
      await ended;
    }
  }
}

for (const subject of REDIS_SUBJECTS) {
  keepsTheContract({
    name: `a connection of Redis, by ${subject.library}`,
    missing: whyNoRedis() === undefined ? undefined : 'Redis',
    open: async () => new RedisBackend(await LocalRedis.start(), subject),
  });
}
