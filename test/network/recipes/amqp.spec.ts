import { inspect } from 'node:util';
import type { ConfirmChannel } from 'amqplib';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { amqpFactory } from '../../../docs/recipes/amqp.js';
import { Pool, type ResourceFactory } from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { describeWithRabbitmq, Rabbitmq } from '../../support/rabbitmq.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { itKeepsTheContract, untilIdle } from './contract.js';

let broker: Rabbitmq;

const factory = (port = broker.port, password = 'guest'): ResourceFactory<ConfirmChannel> =>
  amqpFactory(`amqp://guest:${password}@127.0.0.1:${port}`);

/** One message that has arrived: the broker has confirmed it. */
async function work(channel: ConfirmChannel): Promise<void> {
  channel.publish('amq.direct', 'nowhere', Buffer.from('a message'));
  await channel.waitForConfirms();
}

describeWithRabbitmq('the recipe for AMQP', () => {
  beforeAll(async () => {
    broker = await Rabbitmq.start();
  }, 120_000);
  afterAll(() => broker[Symbol.asyncDispose]());

  itKeepsTheContract({ port: () => broker.port, factory: port => factory(port), work });

  it('has all its channels on one connection, which goes with the last of them', async () => {
    await using proxy = await TcpProxy.before(broker.port);
    const pool = new Pool({ factory: factory(proxy.port), min: 5, max: 5 });
    await pool.start();
    const leases = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    await Promise.all(leases.map(({ resource }) => work(resource)));
    expect(new Set(leases.map(({ resource }) => resource.connection)).size).toBe(1);
    expect([proxy.attempts, proxy.open]).toEqual([1, 1]);
    for (const lease of leases) lease.release();
    await pool.close();
    await until(
      () => proxy.open,
      open => open === 0,
    );
  });

  it('has all channels replaced when their connection breaks, on one new connection', async () => {
    await using proxy = await TcpProxy.before(broker.port);
    await using pool = new Pool({ factory: factory(proxy.port), min: 3, max: 3 });
    await pool.start();
    proxy.resetAll();
    await untilIdle(pool, 0);
    await untilIdle(pool, 3);
    await pool.use(work);
    expect(proxy.attempts).toBe(2);
  });

  it('outlives a channel that the broker has closed (404), and nobody else has to suffer for it', async () => {
    await using pool = new Pool({ factory: factory(), min: 2, max: 2 });
    await pool.start();
    const other = await pool.acquire();
    const error = await failureOf(pool.use(channel => channel.checkQueue('there is none')));
    expect(error).toMatchObject({ code: 404 });
    await work(other.resource);
    other.release();
    await pool.use(work);
    expect(pool.stats().totals.destroyed).toBe(1);
  });

  it('outlives a channel that is closed while nobody waits for an answer', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const lease = await pool.acquire();
    lease.resource.publish('there is no such exchange', '', Buffer.from('lost'));
    expect(await failureOf(lease.resource.waitForConfirms())).toMatchObject({ message: 'channel closed' });
    expect(lease.broken).toBe(true);
    lease.release();
    await pool.use(work);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
  });

  it('lends a channel on when all that was published on it is confirmed', async () => {
    const observer = await broker.connect();
    const queue = await observer.createChannel();
    await queue.assertQueue('confirmed', { autoDelete: true });
    await using pool = new Pool({ factory: factory(), max: 1 });
    await pool.use(async channel => {
      for (let i = 0; i < 500; i++) channel.sendToQueue('confirmed', Buffer.from(String(i)));
    });
    await pool.use(async () => {
      expect(await queue.checkQueue('confirmed')).toMatchObject({ messageCount: 500 });
    });
    expect(pool.stats().totals.created).toBe(1);
    await queue.deleteQueue('confirmed');
    await observer.close();
  });

  it('destroys a channel when the broker has not taken what was published on it', async () => {
    const observer = await broker.connect();
    const queue = await observer.createChannel();
    const full = { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } };
    await queue.assertQueue('full', full);
    await using pool = new Pool({ factory: factory(), max: 1 });
    await pool.use(async channel => {
      for (let i = 0; i < 3; i++) channel.sendToQueue('full', Buffer.from(String(i)));
    });
    await pool.use(work);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { 'reset-failed': 1 } });
    await queue.deleteQueue('full');
    await observer.close();
  });

  it('gives nobody the returned messages of another', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    let strangers = 0;
    await pool.use(async channel => {
      channel.on('return', () => strangers++);
    });
    await pool.use(async channel => {
      channel.publish('amq.direct', 'nowhere', Buffer.from('mine'), { mandatory: true });
      await channel.waitForConfirms();
    });
    expect(strangers).toBe(0);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('has no consumers, no unacknowledged messages and no prefetch to leave behind', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    await pool.use(async channel => {
      expect(() => channel.consume('any', () => undefined)).toThrow('for publishing');
      expect(() => channel.get('any')).toThrow('for publishing');
      expect(() => channel.prefetch(1)).toThrow('for publishing');
      await work(channel);
    });
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('asks once with a password that is wrong, and does not show it', async () => {
    await using proxy = await TcpProxy.before(broker.port);
    await using pool = new Pool({ factory: factory(proxy.port, 'wr0ng'), unavailableAfter: 99 });
    const error = await failureOf(pool.acquire());
    expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE' });
    expect(proxy.attempts).toBe(1);
    expect(inspect(error, { depth: 9 })).not.toContain('wr0ng');
  });
});
