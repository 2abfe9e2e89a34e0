import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, type Histogram } from '@opentelemetry/sdk-metrics';
import { KeyedPool, Pool, type PoolSettings, type ResourceFactory } from '../../../src/engine/index.js';
import { instrumentPools, otel, type OtelOptions } from '../../../src/otel/index.js';
import { asAny } from '../../../src/otel/options.js';
import { collectGarbage } from '../../cheap/memory.js';
import { ManualClock, turn } from '../../support/manual-clock.js';
import { Metrics, forgetGlobals } from './sdk.js';

const TARGET = { system: 'postgresql', namespace: 'shop', host: 'db.example', port: 5433 };
const ON_TARGET = {
  'db.system.name': 'postgresql',
  'db.namespace': 'shop',
  'server.address': 'db.example',
  'server.port': 5433,
};

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  forgetGlobals();
});

function instrumented(options: OtelOptions = {}, metrics = new Metrics()): Metrics {
  stops.push(instrumentPools(metrics.provider, { traces: false, ...options }));
  return metrics;
}

type Given = PoolSettings & Partial<Pick<ResourceFactory<object>, 'create' | 'target'>>;

function poolOf(options: Given = {}): Pool<object> {
  return new Pool<object>({ name: 'orders-db', create: () => ({}), target: TARGET, max: 4, ...options });
}

function keyedOf(options: { maxTotal?: number } = {}): KeyedPool<string, object> {
  return new KeyedPool<string, object>({
    name: 'tenants',
    create: () => ({}),
    target: { system: 'mysql' },
    maxTotal: 50,
    max: 3,
    ...options,
  });
}

const OWN = {
  'nestjs_pool.state': '{pool}',
  'nestjs_pool.abandoned': '{resource}',
  'nestjs_pool.acquires': '{lease}',
  'nestjs_pool.waits': '{request}',
  'nestjs_pool.creates': '{resource}',
  'nestjs_pool.create_failures': '{attempt}',
  'nestjs_pool.destroys': '{resource}',
  'nestjs_pool.sheds': '{request}',
  'nestjs_pool.refusals': '{request}',
  'nestjs_pool.aborts': '{request}',
  'nestjs_pool.deadlocks': '{request}',
  'nestjs_pool.leaks': '{lease}',
};
const SHAPES = (prefix: string, thing: string) => ({
  [`${prefix}.count`]: thing,
  [`${prefix}.limit`]: thing,
  [`${prefix}.idle.max`]: thing,
  [`${prefix}.idle.min`]: thing,
  [`${prefix}.pending_requests`]: '{request}',
  [`${prefix}.timeouts`]: '{timeout}',
  [`${prefix}.create_time`]: 's',
  [`${prefix}.wait_time`]: 's',
  [`${prefix}.use_time`]: 's',
});
const DATABASE = SHAPES('db.client.connection', '{connection}');
const RESOURCE = SHAPES('nestjs_pool.resource', '{resource}');

const units = (collected: Awaited<ReturnType<Metrics['collect']>>): Record<string, string> =>
  Object.fromEntries(collected.metrics.map(({ descriptor }) => [descriptor.name, descriptor.unit]));

/** Something of everything: one is destroyed, so that there is a reason for it. */
async function useOnce(pool: Pool<object>): Promise<void> {
  await pool.use(() => undefined);
  (await pool.acquire()).destroy();
  await turn();
}

describe('the metrics of a pool', () => {
  it('of a database have the names and units of the conventions, and its target on each', async () => {
    const seen = instrumented();
    await useOnce(poolOf());
    const collected = await seen.collect();
    expect(units(collected)).toEqual({ ...DATABASE, ...OWN });
    for (const { descriptor, dataPoints } of collected.metrics) {
      const name = descriptor.name in OWN ? 'nestjs_pool.pool.name' : 'db.client.connection.pool.name';
      for (const { attributes } of dataPoints) {
        expect(attributes).toMatchObject({ [name]: 'orders-db', ...ON_TARGET });
      }
    }
  });

  it('of anything else have the same shapes under a name of their own', async () => {
    const seen = instrumented();
    await useOnce(poolOf({ name: 'renderer', target: { host: 'grid', port: 4444 } }));
    const collected = await seen.collect();
    expect(units(collected)).toEqual({ ...RESOURCE, ...OWN });
    for (const { attributes } of collected.all) {
      expect(attributes).toMatchObject({
        'nestjs_pool.pool.name': 'renderer',
        'server.address': 'grid',
        'server.port': 4444,
      });
      expect(Object.keys(attributes).some(key => key.startsWith('db.'))).toBe(false);
    }
  });

  it('have only those attributes of a target that are known', async () => {
    const seen = instrumented();
    await useOnce(poolOf({ target: { system: 'redis' } }));
    const [point] = (await seen.collect()).points('db.client.connection.limit');
    expect(point?.attributes).toEqual({
      'db.client.connection.pool.name': 'orders-db',
      'db.system.name': 'redis',
    });
  });

  it('have the older names as well when both are wanted, for pools that were there before, too', async () => {
    const seen = instrumented();
    const pool = poolOf();
    expect((await seen.collect()).names).not.toContain('db.client.connection.max');
    instrumented({ semconv: 'dup' }, seen);
    const collected = await seen.collect();
    expect(collected.values('db.client.connection.max')).toEqual([4]);
    expect(collected.values('db.client.connection.limit')).toEqual([4]);
    expect(collected.get('db.client.connection.max')?.descriptor.unit).toBe('{connection}');
    await pool.close();
  });

  it('leave out what costs every borrow something when that is not wanted', async () => {
    const seen = instrumented({ histograms: false });
    await useOnce(poolOf());
    const { names } = await seen.collect();
    expect(names).toContain('db.client.connection.create_time');
    expect(names).not.toContain('db.client.connection.wait_time');
    expect(names).not.toContain('db.client.connection.use_time');
  });

  it('tell the states of its resources, which together are all that there are', async () => {
    const seen = instrumented();
    const gates: (() => void)[] = [];
    const pool = poolOf({
      max: 4,
      overflow: 1,
      create: () => (gates.length === 0 ? {} : new Promise<object>(resolve => gates.push(() => resolve({})))),
    });
    const [lent, idle] = await Promise.all([pool.acquire(), pool.acquire()]);
    idle.release();
    gates.push(() => undefined);
    const other = await pool.acquire();
    const waiting = pool.acquire();
    await turn();
    const collected = await seen.collect();
    expect(collected.by('db.client.connection.state', 'db.client.connection.count')).toEqual({
      idle: 0,
      used: 2,
      creating: 1,
      validating: 0,
      preparing: 0,
      resetting: 0,
      closing: 0,
    });
    expect(collected.values('db.client.connection.pending_requests')).toEqual([1]);
    expect(collected.values('db.client.connection.limit')).toEqual([5]);
    expect(collected.values('db.client.connection.idle.max')).toEqual([4]);
    for (const open of gates) open();
    for (const lease of [lent, other, await waiting]) lease.release();
    await pool.close();
  });

  it('tell what is kept although nobody borrows', async () => {
    const seen = instrumented();
    const pool = poolOf({ min: 1, minIdle: 2 });
    expect((await seen.collect()).values('db.client.connection.idle.min')).toEqual([2]);
    pool.resize({ min: 3 });
    expect((await seen.collect()).values('db.client.connection.idle.min')).toEqual([3]);
    await pool.close();
  });

  it('measure creating, waiting and use in seconds, in buckets from 1 ms to 30 s', async () => {
    const seen = instrumented();
    const clock = new ManualClock();
    const pool = poolOf({ clock, max: 1, create: () => clock.wait(20).then(() => ({})) });
    const first = pool.acquire();
    await clock.advance(20);
    const second = pool.acquire();
    await clock.advance(300);
    (await first).release();
    (await second).release();
    const collected = await seen.collect();
    const histogram = (name: string): Histogram => collected.values(name)[0] as Histogram;
    const created = histogram('db.client.connection.create_time');
    expect(created).toMatchObject({ count: 1, min: 0.02, max: 0.02 });
    expect(created.buckets.boundaries.at(0)).toBe(0.001);
    expect(created.buckets.boundaries.at(-1)).toBe(30);
    expect(histogram('db.client.connection.wait_time')).toMatchObject({ count: 2, min: 0.02, max: 0.3 });
    expect(histogram('db.client.connection.use_time')).toMatchObject({ count: 2, min: 0, max: 0.3 });
    await pool.close();
  });

  it('count every way in which an acquire, a create or a resource can end', async () => {
    const seen = instrumented();
    const clock = new ManualClock();
    let failing = false;
    const pool = poolOf({
      clock,
      max: 1,
      maxWaiting: 1,
      leakThreshold: 100,
      maxHold: 500,
      unavailableAfter: Infinity,
      create: () => {
        if (failing) throw new Error('no');
        return {};
      },
    });
    const held = await pool.acquire();
    const late = expect(pool.acquire({ timeout: 50 })).rejects.toMatchObject({ code: 'POOL_TIMEOUT' });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'POOL_QUEUE_FULL' });
    await clock.advance(60);
    await late;
    const controller = new AbortController();
    const aborted = expect(pool.acquire({ signal: controller.signal })).rejects.toThrow('gone');
    controller.abort(new Error('gone'));
    await aborted;
    const owner = {};
    await clock.advance(100);
    failing = true;
    held.destroy();
    const failed = expect(pool.acquire({ timeout: 1 })).rejects.toThrow();
    await clock.advance(20);
    await failed;
    failing = false;
    const again = pool.acquire({ owner });
    await clock.advance(20_000);
    const lease = await again;
    const deadlocked = expect(pool.acquire({ owner })).rejects.toMatchObject({ code: 'POOL_DEADLOCK' });
    await clock.advance(1_000);
    await deadlocked;
    lease.release();
    const collected = await seen.collect();
    const value = (name: string): unknown => collected.values(name)[0];
    expect(value('db.client.connection.timeouts')).toBe(2);
    expect(value('nestjs_pool.refusals')).toBe(1);
    expect(value('nestjs_pool.aborts')).toBe(1);
    expect(collected.by('nestjs_pool.leak.limit', 'nestjs_pool.leaks')).toEqual({
      leakThreshold: 2,
      maxHold: 1,
      close: 0,
    });
    expect(value('nestjs_pool.deadlocks')).toBe(1);
    expect(value('nestjs_pool.sheds')).toBe(0);
    expect(value('nestjs_pool.creates')).toBe(2);
    expect(value('nestjs_pool.create_failures')).toBe(pool.stats().totals.createFailed);
    expect(value('nestjs_pool.acquires')).toBe(2);
    expect(value('nestjs_pool.waits')).toBe(pool.stats().totals.waited);
    expect(collected.by('nestjs_pool.destroy.reason', 'nestjs_pool.destroys')).toEqual({ caller: 1 });
    await pool.close();
  });

  it('tell the state of the pool as one of all states', async () => {
    const seen = instrumented();
    const pool = poolOf();
    pool.suspend();
    expect((await seen.collect()).by('nestjs_pool.pool.state', 'nestjs_pool.state')).toEqual({
      ready: 0,
      starting: 0,
      unavailable: 0,
      suspended: 1,
      draining: 0,
      closed: 0,
    });
    await pool.close();
  });
});

describe('several pools', () => {
  it('in one process have each their own numbers', async () => {
    const seen = instrumented();
    const orders = poolOf();
    const users = poolOf({ name: 'users-db' });
    const leases = [await orders.acquire(), await orders.acquire(), await users.acquire()];
    leases[2]!.release();
    const collected = await seen.collect();
    const used = (pool: string): unknown =>
      collected.values('db.client.connection.count', {
        'db.client.connection.pool.name': pool,
        'db.client.connection.state': 'used',
      });
    expect(used('orders-db')).toEqual([2]);
    expect(used('users-db')).toEqual([0]);
    for (const lease of leases.slice(0, 2)) lease.release();
    await Promise.all([orders.close(), users.close()]);
  });

  it('of one name and target are added up, and do not take one another back', async () => {
    const seen = instrumented();
    const [one, other] = [poolOf(), poolOf()];
    await one.use(() => undefined);
    await one.use(() => undefined);
    await other.use(() => undefined);
    expect((await seen.collect()).values('db.client.connection.limit')).toEqual([8]);
    expect((await seen.collect()).values('nestjs_pool.acquires')).toEqual([3]);
    await one.close();
    expect((await seen.collect()).values('db.client.connection.limit')).toEqual([4]);
    expect((await seen.collect()).values('nestjs_pool.acquires')).toEqual([3]);
    await other.close();
  });

  it('of one name and different targets are told apart', async () => {
    const seen = instrumented();
    const pools = [poolOf(), poolOf({ target: { ...TARGET, namespace: 'archive' } })];
    expect((await seen.collect()).values('db.client.connection.limit')).toEqual([4, 4]);
    await Promise.all(pools.map(pool => pool.close()));
  });

  it('by key are one set of series, however many hostile keys there are', async () => {
    const seen = instrumented();
    const pool = keyedOf({ maxTotal: 5 });
    await pool.use('first', () => undefined);
    const before = (await seen.collect()).all.length;
    for (let i = 0; i < 1_000; i++) await pool.use(`tenant-${i}\n"}{`, () => undefined);
    const collected = await seen.collect();
    const points = collected.all;
    // Two more: the reasons for which resources were destroyed.
    expect(points.length - before).toBeLessThanOrEqual(2);
    expect(JSON.stringify(points)).not.toContain('tenant-');
    expect(collected.values('nestjs_pool.acquires')).toEqual([1_001]);
    expect(collected.values('db.client.connection.limit')).toEqual([5]);
    expect((collected.values('db.client.connection.wait_time')[0] as Histogram).count).toBe(1_001);
    await pool.close();
  });
});

describe('a pool', () => {
  it('that was there before is seen when it is named', async () => {
    const before = poolOf();
    const unnamed = poolOf({ name: 'unnamed' });
    const seen = instrumented({ pools: [before] });
    const keyed = keyedOf();
    const pools = (await seen.collect()).points('db.client.connection.limit');
    expect(pools.map(({ attributes }) => attributes['db.client.connection.pool.name'])).toEqual([
      'orders-db',
      'tenants',
    ]);
    await Promise.all([before, unnamed, keyed].map(pool => pool.close()));
  });

  it('counts once for a provider, however many look at it, and as long as one does', async () => {
    const seen = instrumented();
    const pool = poolOf();
    const other = instrumentPools(seen.provider, { traces: false, pools: [pool, pool] });
    const third = otel({ meterProvider: seen.provider, traces: false }).watch(asAny(pool));
    await useOnce(pool);
    const collected = await seen.collect();
    expect(collected.values('db.client.connection.limit')).toEqual([4]);
    expect((collected.values('db.client.connection.wait_time')[0] as Histogram).count).toBe(2);
    stops.pop()!();
    other();
    await useOnce(pool);
    expect(((await seen.collect()).values('db.client.connection.wait_time')[0] as Histogram).count).toBe(4);
    third?.();
    third?.();
    await useOnce(pool);
    expect(((await seen.collect()).values('db.client.connection.wait_time')[0] as Histogram).count).toBe(4);
    await pool.close();
  });

  it('is seen by two providers, each with its own numbers', async () => {
    const [one, other] = [instrumented(), instrumented()];
    const pool = poolOf();
    await useOnce(pool);
    for (const seen of [one, other]) {
      expect((await seen.collect()).values('nestjs_pool.acquires')).toEqual([2]);
    }
    await pool.close();
  });

  it('that has closed says its last counts, that there is nothing in it, and then nothing', async () => {
    const seen = instrumented({}, new Metrics(AggregationTemporality.DELTA));
    const pool = poolOf({ min: 1 });
    await pool.start();
    await seen.collect();
    await pool.use(() => undefined);
    await pool.close();
    const last = await seen.collect();
    expect(last.values('nestjs_pool.acquires')).toEqual([1]);
    expect(last.values('nestjs_pool.destroys', { 'nestjs_pool.destroy.reason': 'closed' })).toEqual([1]);
    // Of what goes up and down, this reader is told the difference.
    expect(last.values('db.client.connection.limit')).toEqual([-4]);
    const after = await seen.collect();
    expect(after.all).toEqual([]);
  });

  it('that has closed leaves zeros with who collects sums', async () => {
    const seen = instrumented();
    const pool = keyedOf();
    const lease = await pool.acquire('a');
    await seen.collect();
    lease.release();
    await pool.close();
    const collected = await seen.collect();
    for (const name of ['db.client.connection.limit', 'db.client.connection.count', 'nestjs_pool.state']) {
      expect(collected.values(name).every(value => value === 0)).toBe(true);
    }
    expect(collected.values('nestjs_pool.acquires')).toEqual([1]);
  });

  it('that has closed makes room for one of its name', async () => {
    const seen = instrumented();
    const first = poolOf();
    await first.use(() => undefined);
    await seen.collect();
    await first.close();
    await seen.collect();
    const second = poolOf({ max: 7 });
    await second.use(() => undefined);
    const collected = await seen.collect();
    expect(collected.values('db.client.connection.limit')).toEqual([7]);
    expect(collected.values('nestjs_pool.state', { 'nestjs_pool.pool.state': 'ready' })).toEqual([1]);
    await second.close();
  });

  it('that is watched no longer has no series, and goes on', async () => {
    const seen = instrumented();
    const pool = poolOf();
    await useOnce(pool);
    await seen.collect();
    stops.pop()!();
    const later = poolOf({ name: 'later' });
    const collected = await seen.collect();
    expect(collected.values('db.client.connection.limit')).toEqual([0]);
    await pool.use(() => undefined);
    await Promise.all([pool.close(), later.close()]);
  });

  it('is not kept, whether it was closed or forgotten, and whether anybody collects', async () => {
    const seen = instrumented();
    const late = instrumentPools(undefined, { traces: false });
    const refs: WeakRef<object>[] = [];
    for (let i = 0; i < 200; i++) {
      // The timers of a real clock would hold it.
      const pool = poolOf({ clock: new ManualClock() });
      await pool.use(() => undefined);
      if (i % 2 === 0) await pool.close();
      else await pool.destroyIdle();
      refs.push(new WeakRef(pool));
    }
    await turn();
    collectGarbage();
    const kept = refs.filter(ref => ref.deref() !== undefined).length;
    expect(kept).toBeLessThanOrEqual(2);
    late();
    // What was counted in those that have closed is.
    expect((await seen.collect()).values('nestjs_pool.acquires')[0]).toBeGreaterThanOrEqual(100);
  });
});

describe('the global provider', () => {
  it('is used when nothing else is said', async () => {
    const seen = new Metrics();
    metrics.setGlobalMeterProvider(seen.provider);
    stops.push(instrumentPools(undefined, { traces: false }));
    const pool = poolOf();
    expect((await seen.collect()).values('db.client.connection.limit')).toEqual([4]);
    await pool.close();
  });

  it('may come after the pools, which lose nothing of their first create', async () => {
    stops.push(instrumentPools(undefined, { traces: false }));
    const pool = poolOf();
    const keyed = keyedOf();
    const seen = new Metrics();
    metrics.setGlobalMeterProvider(seen.provider);
    await pool.use(() => undefined);
    const collected = await seen.collect();
    expect(collected.values('db.client.connection.limit')).toEqual([4, 50]);
    expect((collected.values('db.client.connection.create_time')[0] as Histogram).count).toBe(1);
    await Promise.all([pool.close(), keyed.close()]);
  });

  it('may come when the pools have long been filled, and nothing happens in them', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    try {
      stops.push(instrumentPools(undefined, { traces: false }));
      const pool = poolOf({ min: 1, clock: new ManualClock() });
      await pool.start();
      const seen = new Metrics();
      metrics.setGlobalMeterProvider(seen.provider);
      expect((await seen.collect()).names).toEqual([]);
      jest.advanceTimersByTime(1_000);
      expect((await seen.collect()).values('nestjs_pool.creates')).toEqual([1]);
      // It looks no longer.
      expect(jest.getTimerCount()).toBe(0);
      await pool.close();
    } finally {
      jest.useRealTimers();
    }
  });

  it('is the one that is there when a pool is made, after another has been shut down', async () => {
    stops.push(instrumentPools(undefined, { traces: false }));
    const first = new Metrics();
    metrics.setGlobalMeterProvider(first.provider);
    const before = poolOf({ name: 'before' });
    await first.provider.shutdown();
    metrics.disable();
    const between = poolOf({ name: 'between' });
    const second = new Metrics();
    metrics.setGlobalMeterProvider(second.provider);
    const after = poolOf({ name: 'after' });
    const names = (await second.collect()).by('db.client.connection.pool.name', 'db.client.connection.limit');
    expect(names).toEqual({ between: 4, after: 4 });
    await Promise.all([before, between, after].map(pool => pool.close()));
  });

  it('is waited for by nobody when all has been stopped or closed', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    try {
      const stop = instrumentPools(undefined, { traces: false });
      const pool = poolOf({ clock: new ManualClock() });
      expect(jest.getTimerCount()).toBe(1);
      await pool.close();
      jest.advanceTimersByTime(1_000);
      expect(jest.getTimerCount()).toBe(0);
      stop();
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('wrong options', () => {
  it.each([
    [{ semconv: '1.26' }, /option "semconv" is a string; it must be '1.45' or 'dup'/],
    [{ traces: 'yes' }, /option "traces" is a string; it must be true or false/],
    [{ histograms: 1 }, /option "histograms" is 1; it must be true or false/],
    [{ pools: [{}] }, /option "pools" is an array; it must be an array of pools/],
    [{ meterProvider: {} }, /option "meterProvider" is an object; .* a getMeter\(\)/],
    [{ tracerProvider: {} }, /option "tracerProvider" is an object; .* a getTracer\(\)/],
    [{ metrics: false }, /no option "metrics"; there are meterProvider/],
    [null, /must be an object/],
    [new Metrics().provider, /must be an object/],
  ])('%# are refused at once, by name', (options, message) => {
    const wrong = options as OtelOptions;
    expect(() => otel(wrong)).toThrow(message);
    expect(() => instrumentPools(undefined, wrong)).toThrow(message);
  });

  it('are refused of the first argument, too', () => {
    expect(() => instrumentPools({} as never)).toThrow(/what comes first is a MeterProvider/);
  });
});
