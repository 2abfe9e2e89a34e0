import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { LeaseReleasedError, Pool, type LateUseEvent } from '../../src/engine/index.js';

class Client extends EventEmitter {
  readonly sent: string[] = [];
  #secret = 41;
  tenant = 'none';
  query(text: string): number {
    this.sent.push(text);
    return this.#secret++;
  }
}

const detecting = <T>(create: () => T) => {
  const uses: LateUseEvent[] = [];
  const pool = new Pool<T>({
    name: 'orders',
    max: 1,
    create,
    detectUseAfterRelease: true,
    listeners: [{ onLateUse: event => uses.push(event) }],
  });
  return { pool, uses };
};

describe('a pool that detects late uses', () => {
  const uses: [string, (client: Client) => unknown][] = [
    ['query', client => client.query('late')],
    ['on', client => client.on('data', () => {})],
    ['tenant', client => client.tenant],
    ['set tenant', client => (client.tenant = 'mine')],
    ['has tenant', client => 'tenant' in client],
    ['delete tenant', client => delete (client as Partial<Client>).tenant],
    ['define tenant', client => Object.defineProperty(client, 'tenant', { value: 1 })],
    ['its keys', client => Object.keys(client)],
  ];
  it.each(uses)('refuses and reports what comes after the release: %s', async (use, late) => {
    const { pool, uses: reported } = detecting(() => new Client());
    const lease = await pool.acquire();
    const { resource } = lease;
    function theRelease(): void {
      lease.release();
    }
    theRelease();
    expect(() => late(resource)).toThrow(LeaseReleasedError);
    expect(reported).toEqual([
      expect.objectContaining({
        ...{ pool: 'orders', slot: 1, use },
        stack: expect.stringContaining('late-use.spec'),
        releasedAt: expect.stringContaining('theRelease'),
      }),
    ]);
    await pool.use(client => {
      expect([client.tenant, client.sent, client.listenerCount('data')]).toEqual(['none', [], 0]);
    });
  });

  it('refuses a method that was taken along, with the release as the cause', async () => {
    const { pool, uses: reported } = detecting(() => new Client());
    const { query } = await pool.use(client => ({ query: client.query.bind(client) }));
    expect(() => query('late')).toThrow(
      expect.objectContaining({ code: 'POOL_LEASE_RELEASED', cause: expect.any(Error) }),
    );
    expect(reported).toMatchObject([{ use: 'query()' }]);
  });

  it('lets its borrower do all that it could do with the resource itself', async () => {
    const { pool, uses: reported } = detecting(() => new Client());
    const lease = await pool.acquire();
    const { resource: client } = lease;
    expect(client).toBeInstanceOf(Client);
    expect(client.query('a')).toBe(41);
    expect(client.query).toBe(client.query);
    expect(client.on('data', () => {})).toBe(client);
    expect(client.constructor).toBe(Client);
    client.tenant = 'mine';
    expect(Object.keys(client)).toContain('tenant');
    expect(await Promise.resolve(client)).toBe(client);
    const real = lease.detach();
    expect(client.query('b')).toBe(42);
    expect([real.tenant, real.sent, reported]).toEqual(['mine', ['a', 'b'], []]);
  });

  it('does not mind a resource that is only passed on', async () => {
    const { pool, uses: reported } = detecting(() => new Client());
    expect(await pool.use(async resource => resource)).toBeInstanceOf(EventEmitter);
    expect(reported).toEqual([]);
  });

  it('works with a Map, a Set and a Buffer', async () => {
    const maps = detecting(() => new Map<string, number>());
    const kept = await maps.pool.use(map => {
      expect(map.set('a', 1)).toBe(map);
      expect([map.size, [...map]]).toEqual([1, [['a', 1]]]);
      return [map];
    });
    expect(() => kept[0]!.size).toThrow(LeaseReleasedError);
    await detecting(() => new Set([1])).pool.use(set => expect(set.has(1)).toBe(true));
    await detecting(() => Buffer.from('abc')).pool.use(buffer => {
      buffer[0] = 65;
      expect([buffer.toString(), buffer.length, buffer[0]]).toEqual(['Abc', 3, 65]);
    });
  });

  it('works with functions, classes and frozen objects', async () => {
    const calls = detecting(() => Object.assign((n: number) => n + 1, { unit: 'ms' }));
    const [late] = await calls.pool.use(add => {
      expect([add(1), add.unit]).toEqual([2, 'ms']);
      return [add];
    });
    expect(() => late(1)).toThrow(LeaseReleasedError);
    const classes = detecting(() => Client);
    const [Late] = await classes.pool.use(Class => {
      expect(new Class().query('a')).toBe(41);
      return [Class];
    });
    expect(() => new Late()).toThrow(LeaseReleasedError);
    const frozen = Object.freeze({ add: (n: number) => n + 1 });
    expect(await detecting(() => frozen).pool.use(one => one.add(1))).toBe(2);
  });

  it.each([5, 'text', false, null])('lends a resource that is no object as it is: %s', async value => {
    expect(await detecting(() => value).pool.use(resource => [resource])).toEqual([value]);
  });

  it('shows a handle of the factory in the same way, and revokes it', async () => {
    const store = new AsyncLocalStorage();
    let revoked = 0;
    const pool = new Pool({
      create: () => ({ id: 1 }),
      handle: ({ id }) => ({ resource: { id: id + 1 }, revoke: () => revoked++ }),
      detectUseAfterRelease: true,
    });
    const [late] = await store.run({}, () =>
      pool.use(one => {
        expect(one.id).toBe(2);
        return [one];
      }),
    );
    expect(() => late.id).toThrow(LeaseReleasedError);
    expect(revoked).toBe(1);
  });

  it('is one that was told to: by default the resource itself is lent', async () => {
    const client = new Client();
    const pool = new Pool({ create: () => client });
    expect(await pool.use(lent => lent === client)).toBe(true);
  });
});
