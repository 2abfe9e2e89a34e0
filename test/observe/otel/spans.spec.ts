import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { inspect } from 'node:util';
import { KeyedPool, Pool, type PoolSettings } from '../../../src/engine/index.js';
import { instrumentPools, otel } from '../../../src/otel/index.js';
import { asAny } from '../../../src/otel/options.js';
import { ManualClock } from '../../support/manual-clock.js';
import { Traces, forgetGlobals, useContexts } from './sdk.js';

const SECRET = 'postgres://quentin:hunter2@db.example/shop';

let traces: Traces;
let clock: ManualClock;
let stop: () => void;

beforeEach(() => {
  useContexts();
  traces = new Traces();
  clock = new ManualClock();
  stop = instrumentPools(undefined, { tracerProvider: traces.provider });
});
afterEach(() => {
  stop();
  forgetGlobals();
});

function poolOf(options: PoolSettings = {}, create: () => object = () => ({})): Pool<object> {
  const target = { system: 'postgresql', namespace: 'shop', host: 'db.example', port: 5433 };
  return new Pool<object>({ name: 'orders-db', clock, max: 1, target, create, ...options });
}

/** The only span of an acquire. */
function only() {
  expect(traces.acquires).toHaveLength(1);
  return traces.acquires[0]!;
}

const ms = ([seconds, nanos]: readonly [number, number] | number[]): number =>
  seconds * 1_000 + nanos / 1_000_000;

describe('an acquire', () => {
  it('that finds something idle makes no span', async () => {
    const pool = poolOf({ min: 1 });
    await pool.start();
    await traces.within('request', async () => {
      (await pool.acquire()).release();
      pool.tryAcquire()!.release();
      await pool.use(() => undefined);
    });
    expect(traces.acquires).toEqual([]);
    await pool.close();
  });

  it('that has waited makes one, as long as its wait, on the wall clock', async () => {
    const pool = poolOf();
    const held = await pool.acquire();
    const before = Date.now();
    const waiting = traces.within('request', () => pool.acquire({ priority: 'high' }));
    await clock.advance(250);
    held.release();
    (await waiting).release();
    const span = only();
    expect(span.name).toBe('nestjs-pool.acquire orders-db');
    expect(span.kind).toBe(SpanKind.INTERNAL);
    expect(span.status.code).toBe(SpanStatusCode.UNSET);
    expect(span.attributes).toEqual({
      'nestjs_pool.pool.name': 'orders-db',
      'db.system.name': 'postgresql',
      'db.namespace': 'shop',
      'server.address': 'db.example',
      'server.port': 5433,
      'nestjs_pool.acquire.waited_ms': 250,
      'nestjs_pool.acquire.priority': 'high',
      'nestjs_pool.acquire.outcome': 'acquired',
    });
    expect(ms(span.duration)).toBeCloseTo(250, 3);
    expect(ms(span.endTime)).toBeGreaterThanOrEqual(before);
    expect(ms(span.endTime)).toBeLessThanOrEqual(Date.now());
    await pool.close();
  });

  it('is a part of what its caller does, whoever releases what it gets', async () => {
    const pool = poolOf();
    const mine = await traces.within('releaser', async () => {
      const held = await pool.acquire();
      const others = ['one', 'two'].map(name =>
        traces.within(name, async () => {
          const lease = await pool.acquire();
          await traces.within(`query of ${name}`, () => Promise.resolve());
          lease.release();
        }),
      );
      await clock.advance(10);
      held.release();
      return others;
    });
    await Promise.all(mine);
    const parentOf = (span: { parentSpanContext?: { spanId: string } }): string | undefined =>
      traces.spans.find(each => each.spanContext().spanId === span.parentSpanContext?.spanId)?.name;
    expect(traces.acquires.map(parentOf).sort()).toEqual(['one', 'two']);
    expect(traces.named('query of').map(parentOf)).toEqual(['one', 'two']);
    await pool.close();
  });

  it('that fails says which error, in a class and a code', async () => {
    const pool = poolOf();
    const held = await pool.acquire();
    const late = expect(pool.acquire({ timeout: 50 })).rejects.toThrow();
    await clock.advance(60);
    await late;
    const span = only();
    expect(span.status).toEqual({
      code: SpanStatusCode.ERROR,
      message: 'POOL_TIMEOUT: 1 leased, 0 idle of max 1, 1 waiting',
    });
    expect(span.attributes).toMatchObject({
      'nestjs_pool.acquire.outcome': 'failed',
      'error.type': 'POOL_TIMEOUT',
    });
    expect(span.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.type': 'PoolTimeoutError' } },
    ]);
    held.release();
    await pool.close();
  });

  it('fails with a code for each way in which a pool can refuse it', async () => {
    const pool = poolOf({ maxWaiting: 1, min: 1 });
    await pool.start();
    const owner = {};
    const held = await pool.acquire();
    const waiting = pool.acquire({ owner });
    await expect(pool.acquire()).rejects.toThrow();
    await clock.advance(5);
    held.release();
    const lease = await waiting;
    const deadlocked = expect(pool.acquire({ owner })).rejects.toThrow();
    await clock.advance(1_000);
    await deadlocked;
    lease.release();
    await pool.close();
    await expect(pool.acquire()).rejects.toThrow();
    const types = traces.acquires.map(({ attributes }) => attributes['error.type']);
    expect(types).toEqual(['POOL_QUEUE_FULL', undefined, 'POOL_DEADLOCK', 'POOL_CLOSED']);
  });

  it('that is shed says so', async () => {
    const pool = poolOf({ shed: { target: 5, interval: 20 } });
    const held = await pool.acquire();
    const waiting = Promise.allSettled(Array.from({ length: 5 }, () => pool.acquire()));
    await clock.advance(500);
    held.release();
    for (let i = 0; i < 5; i++) await clock.advance(100);
    await pool.close({ timeout: 0 });
    await waiting;
    const types = traces.acquires.map(({ attributes }) => attributes['error.type']);
    expect(types).toContain('POOL_SHED');
    expect(pool.stats().totals.shed).toBe(types.filter(type => type === 'POOL_SHED').length);
  });

  it('that its caller gives up says with what, and nothing of what that says', async () => {
    const pool = poolOf();
    const held = await pool.acquire();
    class ClientGoneError extends Error {
      override name = 'ClientGoneError';
    }
    const reasons = [
      new ClientGoneError(SECRET),
      Object.assign(new Error(SECRET), { code: 'E_GONE' }),
      SECRET,
    ];
    for (const reason of reasons) {
      const controller = new AbortController();
      const aborted = Promise.allSettled([pool.acquire({ signal: controller.signal })]);
      controller.abort(reason);
      await aborted;
    }
    expect(traces.acquires.map(({ attributes }) => attributes['error.type'])).toEqual([
      'ClientGoneError',
      'E_GONE',
      'string',
    ]);
    expect(inspect(traces.acquires, { depth: 9 })).not.toMatch(/quentin|hunter2/);
    held.release();
    await pool.close();
  });

  it('that fails with what a driver has said shows nothing of that', async () => {
    const pool = poolOf({ unavailableAfter: 1 }, () => {
      throw new Error(`cannot connect to ${SECRET}`);
    });
    const first = expect(pool.acquire({ timeout: 50 })).rejects.toThrow(/hunter2/);
    await clock.advance(60);
    await first;
    await expect(pool.acquire()).rejects.toThrow();
    expect(traces.acquires.map(({ attributes }) => attributes['error.type'])).toContain('POOL_UNAVAILABLE');
    expect(
      inspect(
        traces.acquires.map(({ status, events, attributes }) => [status, events, attributes]),
        { depth: 9 },
      ),
    ).not.toMatch(/quentin|hunter2/);
    await pool.close();
  });

  it('of a key is one of the keyed pool, also when there are too many keys, or it is closed', async () => {
    const pool = new KeyedPool<string, object>({
      name: 'tenants',
      clock,
      maxTotal: 5,
      maxKeys: 1,
      create: () => ({}),
    });
    const lease = await traces.within('request', () => pool.acquire('acme-secret'));
    await traces.within('request', async () => {
      await expect(pool.acquire('other')).rejects.toThrow();
      await expect(pool.use('other', () => undefined)).rejects.toThrow();
    });
    lease.release();
    await pool.close();
    await expect(pool.acquire('other')).rejects.toThrow();
    const seen = traces.acquires.filter(({ attributes }) => attributes['error.type'] !== undefined);
    expect(seen.map(({ attributes }) => attributes['error.type'])).toEqual([
      'POOL_QUEUE_FULL',
      'POOL_QUEUE_FULL',
      'POOL_CLOSED',
    ]);
    expect(new Set(traces.acquires.map(({ name }) => name))).toEqual(
      new Set(['nestjs-pool.acquire tenants']),
    );
    expect(seen[0]!.parentSpanContext).toBeDefined();
    expect(
      inspect(
        traces.acquires.map(({ attributes, events }) => [attributes, events]),
        { depth: 9 },
      ),
    ).not.toContain('acme');
  });
});

describe('spans', () => {
  async function wait(pool: Pool<object>): Promise<void> {
    const held = await pool.acquire();
    const waiting = pool.acquire();
    await clock.advance(5);
    held.release();
    (await waiting).release();
  }

  it('are made once for a provider, by whoever still looks', async () => {
    trace.setGlobalTracerProvider(traces.provider);
    const pool = poolOf({ min: 1 });
    const other = otel().watch(asAny(pool));
    await pool.start();
    await wait(pool);
    expect(traces.acquires).toHaveLength(1);
    stop();
    await wait(pool);
    expect(traces.acquires).toHaveLength(2);
    other?.();
    await wait(pool);
    expect(traces.acquires).toHaveLength(2);
    await pool.close();
  });

  it('go to a global provider that comes after the pools', async () => {
    const later = otel();
    const pool = poolOf({ min: 1 });
    later.watch(asAny(pool));
    await pool.start();
    await wait(pool);
    const global = new Traces();
    trace.setGlobalTracerProvider(global.provider);
    await wait(pool);
    expect(global.acquires).toHaveLength(1);
    await pool.close();
  });

  it('are not made when nobody wants them', async () => {
    stop();
    stop = instrumentPools(undefined, { tracerProvider: traces.provider, traces: false });
    const pool = poolOf();
    await wait(pool);
    expect(traces.spans).toEqual([]);
    await pool.close();
  });
});
