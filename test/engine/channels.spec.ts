import { afterEach, describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { KeyedPool, Pool, type AcquireContext } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { ManualClock } from '../support/manual-clock.js';
import { rejects } from '../support/scripted-factory.js';

checkPoolsAfterEach();

type Message = Readonly<Record<string, unknown>>;

const ends: (() => void)[] = [];

/** Everything that is published on a channel from now on. */
function published(name: string): Message[] {
  const messages: Message[] = [];
  const hear = (message: unknown): void => void messages.push(message as Message);
  subscribe(`nestjs-pool:${name}`, hear);
  ends.push(() => unsubscribe(`nestjs-pool:${name}`, hear));
  return messages;
}

interface Traced {
  readonly stage: string;
  readonly context: AcquireContext;
}

/** Everything that is told of acquires from now on; `stages` are those that somebody has subscribed to. */
function traced(...stages: ('start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error')[]): Traced[] {
  const told: Traced[] = [];
  for (const stage of stages) {
    const hear = (context: unknown): void =>
      void told.push({ stage, context: { ...(context as AcquireContext) } });
    const name = `tracing:nestjs-pool:acquire:${stage}`;
    subscribe(name, hear);
    ends.push(() => unsubscribe(name, hear));
  }
  return told;
}

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const ALL = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

describe('the tracing channel of acquires', () => {
  it('tells an acquire that finds something idle from start to asyncEnd', async () => {
    const { pool } = scriptedPool({ name: 'orders' });
    (await pool.acquire()).release();
    const told = traced(...ALL);
    const lease = await pool.acquire({ priority: 'high' });
    expect(told.map(({ stage }) => stage)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(told[0]!.context).toEqual({ pool: 'orders', key: undefined, priority: 'high', owner: undefined });
    expect(told[3]!.context).toMatchObject({ slot: 1, waitedMs: 0, result: lease });
    lease.release();
  });

  it('tells how long one has waited', async () => {
    const { pool, clock } = scriptedPool({ max: 1 });
    const first = await pool.acquire();
    const told = traced('asyncEnd');
    const waiting = pool.acquire();
    await clock.advance(30);
    first.release();
    (await waiting).release();
    expect(told).toMatchObject([{ context: { waitedMs: 30, slot: 1, priority: 'normal' } }]);
  });

  it('tells why one has failed, and how long it had waited', async () => {
    const { pool, clock } = scriptedPool({ max: 1, acquireTimeout: 100 });
    await pool.acquire();
    const told = traced('error', 'asyncEnd');
    const failing = expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    await clock.advance(120);
    await failing;
    expect(told.map(({ stage }) => stage)).toEqual(['error', 'asyncEnd']);
    expect(told[0]!.context.error).toMatchObject({ code: 'POOL_TIMEOUT' });
    expect(told[0]!.context.waitedMs).toBeGreaterThanOrEqual(100);
  });

  it.each(ALL)('is there for who has subscribed to %s only', async stage => {
    const { pool, factory } = scriptedPool({ max: 1, unavailableAfter: 1 });
    factory.creates.next(rejects(new Error('no')));
    const told = traced(stage);
    await pool.acquire().catch(() => undefined);
    expect(told.length).toBeGreaterThan(0);
  });

  it('carries what a store is bound to into the acquire, and no further', async () => {
    const store = new AsyncLocalStorage<string>();
    const channel = tracingChannel('nestjs-pool:acquire');
    channel.start.bindStore(store, () => 'acquiring');
    ends.push(() => channel.start.unbindStore(store));
    const seen: (string | undefined)[] = [];
    const pool = new Pool({ create: () => ({}) });
    const looked = {
      get priority(): undefined {
        seen.push(store.getStore());
        return undefined;
      },
    };
    const lease = await pool.acquire(looked);
    seen.push(store.getStore());
    expect(new Set(seen)).toEqual(new Set([undefined, 'acquiring']));
    expect(seen.at(-1)).toBeUndefined();
    lease.release();
    await pool.close();
  });

  it('tells tryAcquire, without the asynchronous part', async () => {
    const { pool } = scriptedPool({});
    const told = traced(...ALL);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(told.map(({ stage }) => stage)).toEqual(['start', 'end']);
    expect(told[1]!.context.slot).toBeUndefined();
  });

  it('tells the pool and the key of a keyed pool apart, and of a refused key too', async () => {
    const pool = new KeyedPool<string, object>({
      name: 'tenants',
      maxTotal: 2,
      maxKeys: 1,
      create: () => ({}),
    });
    const told = traced('start', 'error');
    const owner = { request: 'GET /' };
    const lease = await pool.acquire('acme', { owner });
    await expect(pool.acquire('other', { priority: 'low' })).rejects.toThrow('maxKeys');
    expect(told).toMatchObject([
      { stage: 'start', context: { pool: 'tenants', key: 'acme', owner } },
      { stage: 'start', context: { pool: 'tenants', key: 'other', priority: 'low' } },
      { stage: 'error', context: { key: 'other', error: { code: 'POOL_QUEUE_FULL' }, waitedMs: 0 } },
    ]);
    lease.release();
    await pool.close();
  });

  it('tells what a closed keyed pool refuses, however it is asked', async () => {
    const pool = new KeyedPool<string, object>({ name: 'tenants', maxTotal: 1, create: () => ({}) });
    await pool.close();
    const told = traced(...ALL);
    await expect(pool.acquire('a')).rejects.toThrow('closed');
    await expect(pool.use('b', () => undefined)).rejects.toThrow('closed');
    expect(() => pool.tryAcquire('c')).toThrow('closed');
    const seen = (key: string): string[] =>
      told.filter(({ context }) => context.key === key).map(({ stage }) => stage);
    const asynchronous = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];
    expect([seen('a'), seen('b'), seen('c')]).toEqual([
      asynchronous,
      asynchronous,
      ['start', 'error', 'end'],
    ]);
    expect(told.at(-1)!.context).toMatchObject({ pool: 'tenants', error: { code: 'POOL_CLOSED' } });
  });

  it('changes nothing about options that cannot be read', async () => {
    const { pool } = scriptedPool({});
    const options = {
      get priority(): never {
        throw new Error('broken options');
      },
    };
    const told = traced('error');
    await expect(pool.acquire(options)).rejects.toThrow('broken options');
    await expect(pool.acquire(null as never)).rejects.toThrow(TypeError);
    expect(() => pool.tryAcquire(null as never)).toThrow(TypeError);
    expect(told.map(({ context }) => context.priority)).toEqual(['normal', 'normal', 'normal']);
  });
});

describe('the channels of what happens', () => {
  it('tell a life: create, release, destroy, state', async () => {
    const told = ['create', 'release', 'destroy', 'state'].map(published);
    const { pool, clock } = scriptedPool({ name: 'orders' });
    const lease = await pool.acquire();
    await clock.advance(5);
    lease.release();
    await pool.close();
    expect(told).toMatchObject([
      [{ pool: 'orders', key: undefined, slot: 1, tookMs: 0 }],
      [{ pool: 'orders', slot: 1, heldMs: 5, error: undefined }],
      [{ pool: 'orders', slot: 1, reason: 'closed' }],
      [{ to: 'draining' }, { from: 'draining', to: 'closed' }],
    ]);
  });

  it('tell every release from the first subscriber on, and no longer than there is one', async () => {
    const pool = new Pool({ create: () => ({}) });
    for (let i = 0; i < 200; i++) (await pool.acquire()).release();
    const releases = published('release');
    for (let i = 0; i < 200; i++) (await pool.acquire()).release();
    expect(releases).toHaveLength(200);
    ends.splice(0).forEach(end => end());
    (await pool.acquire()).release();
    expect(releases).toHaveLength(200);
    await pool.close();
  });

  it('tell what goes wrong: create-failed, timeout, refuse', async () => {
    const [failed, timeouts, refused] = ['create-failed', 'timeout', 'refuse'].map(published);
    const { pool, clock, factory } = scriptedPool({ max: 1, acquireTimeout: 50, maxWaiting: 1 });
    factory.creates.next(rejects(new Error('no')));
    const lease = pool.acquire({ timeout: 500 });
    await clock.advance(200);
    expect(failed).toMatchObject([{ attempt: 1, error: { message: 'no' } }]);
    const waiting = expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    await clock.advance(80);
    await waiting;
    expect(timeouts).toHaveLength(1);
    (await lease).release();
    await pool.close();
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    expect(refused).toMatchObject([{ code: 'POOL_CLOSED' }]);
  });

  it('tell a leak with the stack of its acquire although no listener wants that', async () => {
    const leaks = published('leak');
    const clock = new ManualClock();
    const pool = new Pool({ create: () => ({}), leakThreshold: 1_000, clock });
    async function forgetful(): Promise<void> {
      await pool.acquire();
    }
    await forgetful();
    await clock.advance(1_020);
    expect(leaks).toHaveLength(1);
    expect(leaks[0]!.stack).toContain('forgetful');
    await pool.close({ timeout: 0 });
  });

  it('name the keyed pool, and its key beside it, cut short and without what cannot be seen', async () => {
    const created = published('create');
    const pool = new KeyedPool<string, object>({ name: 'tenants', maxTotal: 2, create: () => ({}) });
    await pool.use('a\nb', () => undefined);
    await pool.use('x'.repeat(1_000), () => undefined);
    expect(created).toMatchObject([
      { pool: 'tenants', key: 'a\\u{a}b' },
      { pool: 'tenants', key: `${'x'.repeat(16)}…` },
    ]);
    await pool.close();
  });

  it('tell of each pool that is made, and of a keyed one once', async () => {
    const opened = published('open');
    const pool = new Pool({ create: () => ({}) });
    const keyed = new KeyedPool<string, object>({ maxTotal: 2, create: () => ({}) });
    await keyed.use('a', () => undefined);
    // Compared one by one: to print a pool takes very long.
    expect(opened.map(message => [pool, keyed].findIndex(one => one === message.pool))).toEqual([0, 1]);
    await Promise.all([pool.close(), keyed.close()]);
  });
});
