import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  KeyedPool,
  Pool,
  type KeyedCreateContext,
  type KeyedPoolStats,
  type Lease,
  type PoolStats,
  type Priority,
} from '../../src/engine/index.js';

class Link {
  constructor(readonly host: string) {}
}

describe('the types of a keyed pool', () => {
  it('are inferred from its create: of the key by its context, of the resource by what it gives', () => {
    const pools = new KeyedPool({
      maxTotal: 5,
      create: async ({ key }: KeyedCreateContext<string>) => new Link(key),
    });
    expectTypeOf(pools).toEqualTypeOf<KeyedPool<string, Link>>();
    expectTypeOf(pools.acquire).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(pools.acquire).returns.toEqualTypeOf<Promise<Lease<Link>>>();
    expectTypeOf(pools.use('a', link => link.host.length)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(pools.stats()).toEqualTypeOf<KeyedPoolStats>();
    expectTypeOf(pools.stats('a')).toEqualTypeOf<PoolStats | undefined>();
    expect(pools.stats()).toMatchObject({ keys: 1, maxTotal: 5 });
  });

  it('demand a total, and know no minimum', () => {
    const create = (): Link => new Link('');
    // @ts-expect-error -- maxTotal is required
    expect(() => new KeyedPool({ create })).toThrow('"maxTotal" is undefined');
    // @ts-expect-error -- a key goes when it is idle
    expect(() => new KeyedPool({ create, maxTotal: 1, min: 1 })).toThrow('"min" is 1');
  });
});

describe('the types of what borrowers ask for', () => {
  it('are a priority, any object as the owner, and limits by name', async () => {
    const pool = new Pool({ create: () => new Link('a') });
    const lease = await pool.acquire({ priority: 'high', owner: () => undefined });
    expectTypeOf<Priority>().toEqualTypeOf<'high' | 'normal' | 'low'>();
    expectTypeOf(lease.detach).returns.toEqualTypeOf<Link>();
    expectTypeOf(lease.signal).toEqualTypeOf<AbortSignal>();
    // @ts-expect-error -- no such priority
    await expect(pool.acquire({ priority: 'urgent' })).rejects.toThrow(`'high' or 'normal' or 'low'`);
    // @ts-expect-error -- a name is no owner: it would be another object each time
    await expect(pool.acquire({ owner: 'job' })).rejects.toThrow('option "owner" is a string');
    // @ts-expect-error -- not a limit
    expect(() => pool.resize({ maxUses: 3 })).toThrow('"maxUses"');
    expect(lease.detach().host).toBe('a');
  });
});
