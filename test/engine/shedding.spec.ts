import { describe, expect, it } from '@jest/globals';
import { Pool, PoolShedError, type Shed } from '../../src/engine/index.js';
import { Counter, INTERVAL, TARGET } from '../support/counter.js';
import { failureOf } from '../support/follow.js';
import { checkPoolsAfterEach } from '../support/invariants.js';

checkPoolsAfterEach();

describe('CoDel as it was published for queues, and as db_connection has it for pools', () => {
  it('begins fast: whoever has waited, and for however long, is served', async () => {
    const counter = await Counter.open();
    for (let i = 0; i < 10; i++) counter.join();
    for (let i = 0; i < 10; i++) {
      await counter.pass(150);
      await counter.serve();
    }
    expect(counter.fates).toBe('f'.repeat(10));
  });

  it('is slow after an interval in which even the luckiest waited above target: sheds beyond twice the target', async () => {
    const counter = await Counter.slow();
    counter.join();
    counter.join();
    await counter.pass(2 * TARGET + 1);
    counter.join();
    await counter.serve();
    expect(counter.fates).toBe('rrf');
    expect(counter.shed).toBe(2);
  });

  it('is slow, and still serves who has waited for twice the target', async () => {
    const counter = await Counter.slow();
    counter.join();
    await counter.pass(2 * TARGET);
    await counter.serve();
    expect(counter.fates).toBe('f');
  });

  it('is not slow when one of the interval waited for no more than the target', async () => {
    const counter = await Counter.open();
    await counter.serveAfter(TARGET);
    await counter.stand();
    await counter.serveAfter(3 * TARGET);
    expect(counter.shed).toBe(0);
  });

  it('is not slow when something came back in the interval, and nobody waited for it', async () => {
    const counter = await Counter.open();
    await counter.serve();
    counter.join();
    await counter.stand();
    await counter.serveAfter(3 * TARGET);
    expect(counter.shed).toBe(0);
  });

  it('serves the first of each interval, however long it has waited', async () => {
    const counter = await Counter.slow();
    counter.join();
    counter.join();
    await counter.pass(INTERVAL);
    await counter.serve();
    expect(counter.fates).toBe('fp');
    // Still slow: nobody in the interval before waited for less.
    await counter.pass(1);
    counter.join();
    await counter.serve();
    expect(counter.fates).toBe('frf');
  });

  it('is fast again after an interval in which somebody waited for no more than the target', async () => {
    const counter = await Counter.slow();
    await counter.serveAfter(TARGET);
    await counter.serveAfter(INTERVAL);
    await counter.serveAfter(5 * TARGET);
    expect(counter.fates).toBe('fff');
  });

  it('sheds when nothing has come back for intervals, although nobody is served', async () => {
    const counter = await Counter.open();
    for (let i = 0; i < 5; i++) counter.join();
    // For one interval the first in the queue has to wait, and for another after that.
    await counter.pass(1.9 * INTERVAL);
    expect(counter.shed).toBe(0);
    for (let i = 0; counter.shed === 0 && i < INTERVAL / TARGET; i++) {
      counter.join();
      await counter.pass(TARGET);
    }
    expect(counter.fates).toMatch(/^r{5,}p{1,3}$/);
    // And once more, without anything having come back.
    await counter.pass(2.1 * INTERVAL);
    expect(counter.fates).toMatch(/^r*$/);
  });

  it('stops looking when nobody waits: no timer is left', async () => {
    const counter = await Counter.open({ idleTimeout: Infinity, maxLifetime: Infinity });
    counter.join();
    await counter.serve();
    await counter.pass(2 * INTERVAL);
    expect(counter.scripted.clock.timersLeft).toBe(0);
  });
});

describe('shedding', () => {
  it('goes by the order of the queue: a high one first, a low one when its turn comes', async () => {
    const counter = await Counter.slow();
    counter.join({ priority: 'low' });
    counter.join({ priority: 'high' });
    await counter.pass(2 * TARGET + 1);
    counter.join();
    await counter.serve();
    expect(counter.fates).toBe('prf');
    await counter.serve();
    expect(counter.fates).toBe('rrf');
  });

  it('leaves what comes back to the next borrower when everybody has been shed', async () => {
    const counter = await Counter.slow();
    counter.join();
    await counter.pass(3 * TARGET);
    await counter.serve();
    expect(counter.fates).toBe('r');
    const { pool } = counter.scripted;
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
    pool.tryAcquire()!.release();
  });

  it('ends what was kept beyond max only for those who have been shed', async () => {
    const counter = await Counter.slow();
    const { pool, factory } = counter.scripted;
    pool.resize({ overflow: 1 });
    const second = await pool.acquire();
    counter.join();
    await counter.pass(3 * TARGET);
    await counter.serve();
    expect(counter.fates).toBe('r');
    expect(factory.reasons).toEqual(['overflow']);
    expect(pool.stats()).toMatchObject({ leased: 1, total: 1 });
    second.release();
  });

  it('does not count the time in which the pool is suspended', async () => {
    const counter = await Counter.slow();
    const { pool } = counter.scripted;
    counter.join();
    counter.join();
    pool.suspend();
    await counter.pass(10 * INTERVAL);
    pool.resume();
    await counter.pass(2 * TARGET);
    await counter.serve();
    await counter.serve();
    expect(counter.fates).toBe('ff');
  });

  it('tells the borrower, the listeners and the totals', async () => {
    const counter = await Counter.slow();
    const { pool, clock, events } = counter.scripted;
    const failure = failureOf(pool.acquire());
    await counter.pass(3 * TARGET);
    await counter.serve();
    const error = (await failure) as PoolShedError;
    expect(error).toBeInstanceOf(PoolShedError);
    expect(error).toMatchObject({ name: 'PoolShedError', code: 'POOL_SHED', pool: 'pool' });
    expect(error.stats).toMatchObject({ max: 1, waiting: 0, totals: { shed: 1 } });
    expect(error.message).toMatch(
      /^Pool "pool": shed after 150 ms in the queue, .* less than 50 ms for 2000 ms \(.* of max 1, 0 waiting\)\. .*raise max\.$/,
    );
    expect(events.filter(({ event }) => event === 'onShed')).toEqual([
      { event: 'onShed', pool: 'pool', at: clock.now(), waitedMs: 150 },
    ]);
    expect(pool.stats().totals).toMatchObject({ shed: 1, refused: 0, timedOut: 0 });
  });
});

describe('the option shed', () => {
  const make = (shed: unknown): Pool<object> =>
    new Pool({ name: 'p', create: () => ({}), shed: shed as Partial<Shed> });

  it.each([
    [{ target: 0 }, 'option "shed.target" is 0; it must be a finite number ≥ 1.'],
    [{ target: Infinity }, 'option "shed.target" is Infinity; it must be a finite number ≥ 1.'],
    [{ target: '50' }, 'option "shed.target" is "50"; it must be a finite number ≥ 1.'],
    [{ interval: NaN }, 'option "shed.interval" is NaN; it must be a finite number ≥ 1.'],
    [{ aim: 50 }, 'unknown option "shed.aim".'],
    [true, 'option "shed" is true; it must be { target?, interval? }.'],
    [null, 'option "shed" is null; it must be { target?, interval? }.'],
  ])('%p is refused', (shed, message) => {
    expect(() => make(shed)).toThrow(`Pool "p": ${message}`);
  });

  it.each([[{}], [{ target: 10 }], [{ interval: undefined }], [undefined]])('%p is allowed', shed => {
    expect(() => make(shed)).not.toThrow();
  });

  it('has 50 ms as its target where only the interval is given, and the other way round', async () => {
    for (const [shed, age, fate] of [
      [{ interval: 500 }, 2 * TARGET, 'f'],
      [{ interval: 500 }, 2 * TARGET + 1, 'r'],
      [{ target: 60 }, 2 * 60, 'f'],
      [{ target: 60 }, 2 * 60 + 1, 'r'],
    ] as const) {
      const counter = await Counter.slow({ shed });
      await counter.serveAfter(age);
      expect([shed, age, counter.fates]).toEqual([shed, age, fate]);
    }
  });

  it('is off without it: everybody is served, however late', async () => {
    const counter = await Counter.open({ shed: undefined });
    await counter.stand();
    await counter.serveAfter(3 * INTERVAL);
    await counter.serveAfter(3 * INTERVAL);
    expect(counter.fates).toMatch(/^f*$/);
  });
});
