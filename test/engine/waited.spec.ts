import { describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { KeyedPool, type ResourceTarget, type WaitedEvent } from '../../src/engine/index.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedOptions } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { rejects, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

const caller = new AsyncLocalStorage<string>();

interface Told extends WaitedEvent {
  /** Whose context it was told in. */
  readonly by: string | undefined;
}

function watchedPool(options: ScriptedOptions<Thing>) {
  const told: Told[] = [];
  const onWaited = (event: WaitedEvent): void => void told.push({ ...event, by: caller.getStore() });
  return { ...scriptedPool({ ...options, listeners: [{ onWaited }] }), told };
}

class Visitor {
  toString(): string {
    return 'GET /orders';
  }
}

describe('onWaited', () => {
  it('is told of who had to wait, in the context of the caller, whoever gives back', async () => {
    const { pool, clock, told } = watchedPool({ name: 'orders', max: 1 });
    const began = clock.now();
    const first = await caller.run('a', () => pool.acquire());
    told.length = 0;
    const second = caller.run('b', () => pool.acquire({ priority: 'low', owner: new Visitor() }));
    await clock.advance(40);
    caller.run('c', () => first.release());
    (await second).release();
    expect(told).toEqual([
      {
        ...{ pool: 'orders', at: began + 40, waitedMs: 40, slot: 1, error: undefined },
        ...{ priority: 'low', owner: 'GET /orders', by: 'b' },
      },
    ]);
  });

  it('is told nothing of who finds something idle', async () => {
    const { pool, told } = watchedPool({});
    (await pool.acquire()).release();
    told.length = 0;
    (await pool.acquire()).release();
    pool.tryAcquire()!.release();
    expect(told).toEqual([]);
  });

  it('is told of who gets nothing: in time, by abort, refused, and of what was not worth a try', async () => {
    const { pool, clock, told } = watchedPool({ max: 1, maxWaiting: 2, acquireTimeout: 100 });
    const lease = await pool.acquire();
    told.length = 0;
    const leaving = new AbortController();
    const acquires = ['late', 'gone', 'crowded'].map(by =>
      caller.run(by, () => pool.acquire(by === 'gone' ? { signal: leaving.signal } : {})),
    );
    const outcomes = Promise.allSettled(acquires);
    leaving.abort(new Error('left'));
    await clock.advance(120);
    await outcomes;
    await caller.run('wrong', () => pool.acquire({ timeout: -1 })).catch(() => undefined);
    const summary = told.map(({ by, error, slot }) => [by, (error as { code?: string }).code, slot]);
    expect(new Set(summary.map(entry => JSON.stringify(entry)))).toEqual(
      new Set(
        [
          ['crowded', 'POOL_QUEUE_FULL', undefined],
          ['gone', undefined, undefined],
          ['late', 'POOL_TIMEOUT', undefined],
          ['wrong', 'POOL_OPTIONS', undefined],
        ].map(entry => JSON.stringify(entry)),
      ),
    );
    lease.release();
  });

  it('is told of an onBorrow that fails, and of none that goes well', async () => {
    let fails = true;
    const onBorrow = (): Promise<void> => (fails ? rejects(new Error('no tenant'))() : Promise.resolve());
    const prepared = watchedPool({ onBorrow });
    await expect(prepared.pool.acquire()).rejects.toThrow('no tenant');
    expect(prepared.told).toMatchObject([{ slot: undefined, error: { message: 'no tenant' } }]);
    fails = false;
    prepared.told.length = 0;
    (await prepared.pool.acquire()).release();
    await turn();
    (await prepared.pool.acquire()).release();
    expect(prepared.told).toEqual([]);
  });

  it('is no reason for an acquire to be rejected when it throws', async () => {
    const onWaited = (): never => {
      throw new Error('broken metrics');
    };
    const { pool } = scriptedPool({ max: 1, listeners: [{ onWaited }] });
    const first = await pool.acquire();
    const second = pool.acquire();
    first.release();
    (await second).release();
    await expect(pool.acquire({ timeout: -1 })).rejects.toThrow('timeout');
  });

  it.each([
    ['are nothing', null],
    [
      'throw when they are read',
      {
        get priority(): never {
          throw new Error('broken options');
        },
      },
    ],
  ])('is no reason for options that %s to end an acquire in another way', async (_, options) => {
    const unheard = scriptedPool({});
    const { pool, told } = watchedPool({});
    const outcome = async (acquire: Promise<unknown>): Promise<string> =>
      acquire.then(
        () => 'lent',
        (error: unknown) => String(error),
      );
    const expected = await outcome(unheard.pool.acquire(options as object));
    expect(expected).not.toBe('lent');
    expect(await outcome(pool.acquire(options as object))).toBe(expected);
    expect(told).toMatchObject([{ slot: undefined, priority: 'normal', owner: undefined }]);
  });

  it('is told of what a keyed pool refuses, once, with acquire and with use', async () => {
    const told: WaitedEvent[] = [];
    const pool = new KeyedPool<string, object>({
      name: 'tenants',
      maxTotal: 1,
      create: () => ({}),
      listeners: [{ onWaited: event => void told.push(event) }],
    });
    await pool.close();
    await expect(pool.acquire('acme', { priority: 'low' })).rejects.toThrow('closed');
    await expect(pool.use('acme', () => undefined)).rejects.toThrow('closed');
    expect(told).toMatchObject([
      { pool: 'tenants[acme]', priority: 'low', error: { code: 'POOL_CLOSED' } },
      { pool: 'tenants[acme]', priority: 'normal', error: { code: 'POOL_CLOSED' } },
    ]);
  });

  it('says what the resource is a connection to: what the factory says of its key before what it says of all', async () => {
    const told: WaitedEvent[] = [];
    const hosts: Record<string, unknown> = { acme: { host: 'acme.example' }, broken: { port: '5433' } };
    const pool = new KeyedPool<string, object>({
      maxTotal: 4,
      maxKeys: 3,
      create: () => ({}),
      target: { system: 'postgresql', host: 'shared.example' },
      targetOf: key => {
        if (key === 'none') throw new Error('no such tenant');
        return hosts[key] as ResourceTarget;
      },
      listeners: [{ onWaited: event => void told.push(event) }],
    });
    const leases = [];
    for (const key of ['acme', 'broken', 'none']) {
      leases.push(await pool.acquire(key));
      await expect(pool.acquire(key, { signal: AbortSignal.abort() })).rejects.toThrow('abort');
    }
    hosts.late = { host: 'late.example' };
    await expect(pool.acquire('late')).rejects.toThrow('maxKeys');
    for (const lease of leases) lease.release();
    await pool.close();
    const failed = told.filter(({ error }) => error !== undefined);
    expect(failed.map(({ target }) => target?.host)).toEqual([
      'acme.example',
      'shared.example',
      'shared.example',
      'late.example',
    ]);
    expect(new Set(failed.map(({ target }) => target?.system))).toEqual(new Set(['postgresql']));
    expect(pool.target).toEqual({ system: 'postgresql', host: 'shared.example' });
  });
});
