import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { KeyedPool, LeaseReleasedError, type Handle, type Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool, type ScriptedOptions } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { ok, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();

/** What a borrower gets: it knows the thing, and whether it may still be used. */
class ThingHandle implements Thing, Handle<Thing> {
  readonly resource = this;
  readonly errors: LeaseReleasedError[] = [];

  constructor(readonly thing: Thing) {}

  get id(): number {
    return this.thing.id;
  }

  revoke(why: () => LeaseReleasedError): void {
    this.errors.push(why());
  }
}

const poolWithHandles = (options: ScriptedOptions<Thing> = {}) => {
  const handles: ThingHandle[] = [];
  const scripted = scriptedPool({
    ...options,
    handle: thing => {
      const handle = new ThingHandle(thing);
      handles.push(handle);
      return handle;
    },
  });
  return { ...scripted, handles };
};

describe('a handle', () => {
  it('is what a borrower gets, the same one throughout a lease, and another one the next time', async () => {
    const { pool, handles } = poolWithHandles({ max: 1 });
    const lease = await pool.acquire();
    const { resource } = lease;
    expect(resource).toBe(handles[0]);
    expect(lease.resource).toBe(resource);
    lease.release();
    await pool.use(next => {
      expect(next).toBe(handles[1]);
      expect(next.id).toBe(resource.id);
    });
    expect(handles).toHaveLength(2);
  });

  it('is not what validate, reset, isFatal and destroy get', async () => {
    const fatal: unknown[] = [];
    const { pool, factory } = poolWithHandles({
      validate: ok,
      reset: ok,
      isFatal: (_error, thing) => fatal.push(thing) > 0,
      validateAfterIdle: 0,
    });
    await pool.use(() => undefined);
    await turn();
    const lease = await pool.acquire();
    lease.release(new Error('broken'));
    await turn();
    const seen = [factory.resets.last.given, factory.validates.last.given, fatal[0]];
    for (const thing of [...seen, factory.destroys.last.given.resource]) {
      expect(thing).not.toBeInstanceOf(ThingHandle);
      expect(thing).toEqual({ id: 1 });
    }
  });

  const use = ({ resource }: Lease<Thing>): unknown => resource;
  const end = (lease: Lease<Thing>, how: 'release' | 'destroy'): void => {
    use(lease);
    lease[how]();
  };
  const ends: [string, (world: ReturnType<typeof poolWithHandles>) => Promise<unknown>, RegExp][] = [
    ['released', async ({ pool }) => end(await pool.acquire(), 'release'), /has been released/],
    ['destroyed', async ({ pool }) => end(await pool.acquire(), 'destroy'), /has been released/],
    [
      'taken away by maxHold',
      async ({ pool, clock }) => {
        use(await pool.acquire());
        await clock.advance(1_100);
      },
      /taken this resource away.*maxHold/,
    ],
    [
      'taken away by close()',
      async ({ pool }) => {
        use(await pool.acquire());
        await pool.close({ timeout: 0 });
      },
      /taken this resource away.*closed/,
    ],
  ];
  it.each(ends)('is revoked once when its lease is %s, with the reason why', async (_, end, message) => {
    const world = poolWithHandles({ maxHold: 1_000, maxHoldAction: 'destroy' });
    await end(world);
    await world.pool.close({ timeout: 0 });
    const [handle] = world.handles;
    expect(handle!.errors).toHaveLength(1);
    expect(handle!.errors[0]).toBeInstanceOf(LeaseReleasedError);
    expect(handle!.errors[0]!.message).toMatch(message);
  });

  it('is revoked before the resource is reset', async () => {
    const order: string[] = [];
    const { pool } = scriptedPool({
      reset: call => {
        order.push('reset');
        return ok(call);
      },
      handle: resource => ({ resource, revoke: () => order.push('revoke') }),
    });
    await pool.use(() => undefined);
    expect(order).toEqual(['revoke', 'reset']);
  });

  it('stays good when its resource is detached, and the borrower gets the resource itself', async () => {
    const { pool, handles } = poolWithHandles();
    const lease = await pool.acquire();
    const { resource } = lease;
    expect(lease.detach()).toBe(handles[0]!.thing);
    expect(() => lease.resource).toThrow(LeaseReleasedError);
    lease.release();
    await pool.close();
    expect([resource.id, handles[0]!.errors]).toEqual([1, []]);
  });

  it('that cannot be made ends the borrow with its error, and destroys the resource', async () => {
    const broken = new Error('no handle');
    let made = 0;
    const { pool, factory, events } = scriptedPool({
      max: 1,
      handle: resource => {
        if (made++ === 0) throw broken;
        return { resource, revoke: () => undefined };
      },
    });
    const next = follow(pool.use(thing => thing.id).catch((error: unknown) => error));
    const after = follow(pool.use(thing => thing.id));
    await turn();
    expect([next.value, after.value]).toEqual([broken, 2]);
    expect(factory.reasons).toEqual(['invalid']);
    expect(events.find(one => one.event === 'onDestroy')).toMatchObject({
      cause: { message: 'Its handle could not be made: no handle', cause: broken },
    });
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1, totals: { acquired: 2, released: 2 } });
  });

  it.each([
    ['a promise', Promise.resolve()],
    ['nothing', undefined],
    ['no function', { revoke: 1 }],
  ])('that is %s is refused', async (_, handle) => {
    const { pool, factory } = scriptedPool({ handle: () => handle as never });
    await expect(pool.use(() => undefined)).rejects.toThrow('made synchronously');
    expect(factory.reasons).toEqual(['invalid']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('cannot');
      },
    ],
    ['rejects', (() => Promise.reject(new Error('cannot'))) as () => unknown as () => never],
  ])('whose revoke %s leaves the counts right', async (_, revoke) => {
    const { pool, factory } = scriptedPool({
      handle: resource => ({ resource, revoke: revoke }),
    });
    await pool.use(() => undefined);
    (await pool.acquire()).destroy();
    await turn();
    expect(factory.reasons).toEqual(['caller']);
    expect(pool.stats()).toMatchObject({ total: 0, totals: { acquired: 2, released: 2, destroyed: 1 } });
  });

  it('during the making of which the pool is closed is revoked at once', async () => {
    let revoked = 0;
    const { pool } = scriptedPool({
      handle: resource => {
        void pool.close({ timeout: 0 });
        return { resource, revoke: () => revoked++ };
      },
    });
    await expect(pool.use(() => undefined)).rejects.toThrow(LeaseReleasedError);
    expect(revoked).toBe(1);
  });

  it('that nobody asks for is not made', async () => {
    const { pool, handles } = poolWithHandles();
    const { resource, release } = await pool.acquire();
    release();
    const untouched = await pool.acquire();
    const made = handles.length;
    untouched.release();
    expect([resource.id, handles.length]).toEqual([1, made]);
  });

  it('is made and revoked outside the context of its borrower', async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const { pool } = scriptedPool({
      handle: resource => {
        seen.push(request.getStore());
        return { resource, revoke: () => seen.push(request.getStore()) };
      },
    });
    await request.run('a request', () => pool.use(() => undefined));
    expect(seen).toEqual([undefined, undefined]);
  });

  it('is there in keyed pools, too', async () => {
    const revoked: unknown[] = [];
    const seen: unknown[] = [];
    await using pools = new KeyedPool({
      maxTotal: 1,
      create: ({ key }: { key: string }) => ({ key }),
      handle: resource => ({
        resource: { ...resource, key: `${resource.key}, lent` },
        revoke: () => revoked.push(resource),
      }),
      isFatal: (_error, resource) => seen.push(resource) > 0,
    });
    await expect(
      pools.use('a', resource => {
        expect(resource).toEqual({ key: 'a, lent' });
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect([revoked, seen]).toEqual([[{ key: 'a' }], [{ key: 'a' }]]);
    expect(pools.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });
});
