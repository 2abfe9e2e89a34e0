import { describe, expect, it } from '@jest/globals';
import { PoolOptionsError, type Pool } from '../../src/engine/index.js';
import { failureOf, follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { rejects, slow, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const down = new Error('connection refused');

describe('start', () => {
  it('resolves when min resources are live', async () => {
    const { pool, factory, clock, events } = scriptedPool({ create: slow, min: 2 });
    const started = follow(pool.start());
    await turn();
    expect(pool.stats()).toMatchObject({ state: 'starting', creating: 2 });
    expect(clock.holdsProcess).toBe(true);
    factory.creates.calls[0]!.settle();
    await turn();
    expect(started.state).toBe('pending');
    factory.creates.calls[1]!.settle();
    await turn();
    expect(started.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ state: 'ready', idle: 2 });
    expect(clock.holdsProcess).toBe(false);
    expect(events.filter(one => one.event === 'onStateChange')).toMatchObject([
      { from: 'ready', to: 'starting' },
      { from: 'starting', to: 'ready' },
    ]);
  });

  it('resolves at once when min is 0, and again when the pool is started already', async () => {
    const { pool, factory, events } = scriptedPool();
    await pool.start();
    await pool.start();
    expect(factory.creates.calls).toHaveLength(0);
    expect(events).toEqual([]);
  });

  it('lends what is there before min is reached', async () => {
    const { pool, factory } = scriptedPool({ create: slow, min: 2 });
    follow(pool.start());
    factory.creates.calls[0]!.settle();
    await turn();
    expect((await pool.acquire()).resource).toEqual({ id: 1 });
  });

  it('survives a create that fails once', async () => {
    const { pool, factory, clock } = scriptedPool({ min: 2 });
    factory.creates.next(rejects(down));
    const started = follow(pool.start());
    await clock.advance(110);
    expect(started.state).toBe('fulfilled');
    expect(pool.stats().idle).toBe(2);
  });

  it('rejects with the cause when nothing can be created', async () => {
    const { pool, clock } = scriptedPool({ create: rejects(down), min: 2 });
    const started = follow(pool.start());
    await clock.advance(400);
    expect(started.error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
    await expect(pool.start()).rejects.toMatchObject({ code: 'POOL_UNAVAILABLE', cause: down });
  });

  it('rejects at its timeout, and the pool goes on trying', async () => {
    const { pool, factory, clock } = scriptedPool({ create: slow, min: 2, name: 'orders' });
    const started = follow(pool.start({ timeout: 1_000 }));
    await clock.advance(999);
    expect(started.state).toBe('pending');
    await clock.advance(11);
    expect(started.error).toMatchObject({
      code: 'POOL_TIMEOUT',
      message: expect.stringMatching(/"orders": fewer than min \(2\).*1000 ms/),
    });
    factory.finish();
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 2, state: 'ready' });
  });

  it('rejects with the reason of its signal', async () => {
    const { pool } = scriptedPool({ create: slow, min: 1 });
    await expect(pool.start({ signal: AbortSignal.abort('too late') })).rejects.toBe('too late');
    const abort = new AbortController();
    const started = follow(pool.start({ signal: abort.signal }));
    await turn();
    abort.abort('enough');
    await turn();
    expect(started.error).toBe('enough');
  });

  it('rejects when the pool is closed meanwhile', async () => {
    const { pool } = scriptedPool({ create: slow, min: 1 });
    const started = follow(pool.start());
    await turn();
    void pool.close();
    await turn();
    expect(started.error).toMatchObject({ code: 'POOL_CLOSED' });
  });

  it('is told to listeners once, however often it is called meanwhile', async () => {
    const { pool, factory, events } = scriptedPool({ create: slow, min: 1 });
    const started = [follow(pool.start()), follow(pool.start())];
    factory.creates.last.settle();
    await turn();
    expect(started.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(events.flatMap(({ event, to }) => (event === 'onStateChange' ? [to] : []))).toEqual([
      'starting',
      'ready',
    ]);
  });

  it('waits while the pool is suspended, and goes on when it is resumed', async () => {
    const { pool, factory } = scriptedPool({ create: slow, min: 1 });
    pool.suspend();
    const started = follow(pool.start());
    expect(pool.stats()).toMatchObject({ state: 'suspended', creating: 0 });
    pool.resume();
    expect(pool.stats()).toMatchObject({ state: 'starting', creating: 1 });
    factory.creates.last.settle();
    await turn();
    expect(started.state).toBe('fulfilled');
    expect(pool.stats().state).toBe('ready');
  });

  it('refuses a timeout that is no duration, and nothing begins', async () => {
    const { pool } = scriptedPool({ min: 1 });
    expect(await failureOf(pool.start({ timeout: -1 }))).toBeInstanceOf(PoolOptionsError);
    expect(pool.stats()).toMatchObject({ state: 'ready', total: 0 });
  });

  it.each<[string, (pool: Pool<Thing>) => unknown]>([
    ['an acquire that still waits', pool => follow(pool.acquire())],
    ['a tryAcquire that gets nothing', pool => pool.tryAcquire()],
  ])('is what %s does too', (_, borrow) => {
    const { pool } = scriptedPool({ create: slow, min: 2 });
    borrow(pool);
    expect(pool.stats().creating).toBe(2);
  });

  it('is not what resize, recycle or resume do: a pool that nobody uses makes nothing', async () => {
    const { pool, factory } = scriptedPool({ min: 2 });
    pool.resize({ max: 5 });
    pool.recycle();
    pool.suspend();
    pool.resume();
    await turn();
    expect(factory.creates.calls).toHaveLength(0);
  });
});
