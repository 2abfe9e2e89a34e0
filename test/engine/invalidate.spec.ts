import { describe, expect, it } from '@jest/globals';
import { ResourceInvalidatedError } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, slow, sync } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const broken = new Error('socket hang up');

describe('invalidate', () => {
  it('destroys an idle resource at once', async () => {
    const { pool, factory, events } = scriptedPool();
    (await pool.acquire()).release();
    factory.creates.last.given.invalidate(broken);
    expect(factory.reasons).toEqual(['invalid']);
    await turn();
    expect(pool.stats()).toMatchObject({ idle: 0, total: 0 });
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({ reason: 'invalid', cause: broken });
    expect((await pool.acquire()).resource).toEqual({ id: 2 });
  });

  it('leaves a leased resource to its borrower and destroys it when it comes back', async () => {
    const { pool, factory } = scriptedPool({ reset: ok });
    const lease = await pool.acquire();
    factory.creates.last.given.invalidate(broken);
    await turn();
    expect(lease.resource).toEqual({ id: 1 });
    lease.release();
    expect(factory.reasons).toEqual(['invalid']);
    expect(factory.resets.calls).toHaveLength(0);
  });

  it('destroys a resource that is being validated when that is done, whatever the verdict', async () => {
    const { pool, factory } = scriptedPool({ validate: slow, validateAfterIdle: 0 });
    (await pool.acquire()).release();
    const borrower = follow(pool.acquire());
    factory.creates.last.given.invalidate(broken);
    factory.validates.last.settle(true);
    await turn();
    expect(factory.reasons).toEqual(['invalid']);
    expect(borrower.value?.resource).toEqual({ id: 2 });
  });

  it('destroys a resource that is being reset when that is done', async () => {
    const { pool, factory } = scriptedPool({ reset: slow });
    (await pool.acquire()).release();
    factory.creates.last.given.invalidate(broken);
    factory.resets.last.settle();
    await turn();
    expect(factory.destroys.calls).toHaveLength(1);
    expect(pool.stats().total).toBe(0);
  });

  it('before its create has settled has the result destroyed, and counts as a failed create', async () => {
    const { pool, factory, clock } = scriptedPool({ max: 1 });
    factory.creates.next(slow);
    const borrower = follow(pool.acquire());
    factory.creates.last.given.invalidate(broken);
    factory.creates.last.settle();
    await turn();
    expect(factory.reasons).toEqual(['invalid']);
    expect(factory.creates.calls).toHaveLength(1);
    await clock.advance(110);
    expect(borrower.value?.resource).toEqual({ id: 2 });
  });

  it('inside a create that is synchronous backs off too', async () => {
    const { pool, factory, clock } = scriptedPool({ create: sync });
    const { onCreate } = factory;
    factory.onCreate = () => {
      onCreate();
      if (factory.creates.calls.length < 3) factory.creates.last.given.invalidate(broken);
    };
    const borrower = follow(pool.acquire());
    await turn();
    expect(factory.creates.calls).toHaveLength(1);
    await clock.advance(400);
    expect(factory.reasons).toEqual(['invalid', 'invalid']);
    expect(borrower.value?.resource).toEqual({ id: 3 });
  });

  it('while its destroy is running, or afterwards, does nothing', async () => {
    const { pool, factory } = scriptedPool({ destroy: slow });
    (await pool.acquire()).destroy();
    factory.creates.last.given.invalidate(broken);
    factory.destroys.last.settle();
    await turn();
    factory.creates.last.given.invalidate(broken);
    await turn();
    expect(factory.destroys.calls).toHaveLength(1);
  });

  it('of a create that was given up does nothing', async () => {
    const { pool, factory, clock } = scriptedPool({ createTimeout: 100 });
    factory.creates.next(slow);
    follow(pool.acquire());
    await clock.advance(110);
    factory.creates.calls[0]!.given.invalidate(broken);
    factory.creates.calls[0]!.settle();
    await turn();
    expect(factory.reasons).toEqual(['late']);
  });

  it('called again and again destroys once', async () => {
    const { pool, factory } = scriptedPool({ destroy: slow });
    (await pool.acquire()).release();
    for (let i = 0; i < 3; i++) factory.creates.last.given.invalidate(broken);
    await turn();
    expect(factory.destroys.calls).toHaveLength(1);
  });

  it('called by a listener that hears of the create keeps the resource from everybody', async () => {
    const { pool, factory, clock } = scriptedPool({
      max: 2,
      listeners: [
        { onCreate: ({ slot }) => slot === 2 && factory.creates.calls[1]!.given.invalidate(broken) },
      ],
    });
    (await pool.acquire()).release();
    const held = await pool.acquire();
    const borrower = follow(pool.acquire());
    await turn();
    expect(factory.reasons).toEqual(['invalid']);
    await clock.advance(110);
    expect(borrower.value?.resource).toEqual({ id: 3 });
    held.release();
    borrower.value?.release();
    expect(pool.stats()).toMatchObject({ idle: 2, leased: 0 });
  });

  it('of one idle resource leaves the other idle ones in their order', async () => {
    const { pool, factory } = scriptedPool({ max: 3, order: 'fifo' });
    const leases = await Promise.all([1, 2, 3].map(() => pool.acquire()));
    for (const lease of leases) lease.release();
    factory.creates.calls[1]!.given.invalidate(broken);
    await turn();
    const [a, b] = [pool.tryAcquire(), pool.tryAcquire()];
    expect([a?.resource.id, b?.resource.id]).toEqual([1, 3]);
  });

  it('tells the holder of the resource by its signal, whether it asked for that before or after', async () => {
    const { pool, factory } = scriptedPool({ name: 'orders', max: 2 });
    const [early, late] = [await pool.acquire(), await pool.acquire()];
    const { signal } = early;
    expect([early.broken, late.broken]).toEqual([false, false]);
    for (const call of factory.creates.calls) call.given.invalidate(broken);
    for (const reason of [signal.reason, late.signal.reason] as unknown[]) {
      expect(reason).toBeInstanceOf(ResourceInvalidatedError);
      expect(reason).toMatchObject({
        code: 'POOL_RESOURCE_INVALIDATED',
        cause: broken,
        message: expect.stringContaining('"orders": this resource has become unusable: socket hang up'),
      });
    }
    expect([early.broken, late.broken, early.released]).toEqual([true, true, false]);
    early.release();
    late.release();
    expect([early.broken, late.broken]).toEqual([false, false]);
    expect((await pool.acquire()).signal.aborted).toBe(false);
  });

  it('tells the holder also when the resource was to be destroyed anyway, and only once', async () => {
    const { pool, factory } = scriptedPool();
    const lease = await pool.acquire();
    pool.recycle();
    let told = 0;
    lease.signal.addEventListener('abort', () => told++);
    factory.creates.last.given.invalidate(broken);
    factory.creates.last.given.invalidate(new Error('again'));
    expect([lease.broken, told]).toEqual([true, 1]);
    expect((lease.signal.reason as Error).cause).toBe(broken);
  });

  it('lets the holder release in the moment in which it is told', async () => {
    const { pool, factory } = scriptedPool({ reset: ok });
    const lease = await pool.acquire();
    lease.signal.addEventListener('abort', lease.release);
    factory.creates.last.given.invalidate(broken);
    await turn();
    expect(factory.reasons).toEqual(['invalid']);
    expect(pool.stats()).toMatchObject({ leased: 0, total: 0 });
  });
});
