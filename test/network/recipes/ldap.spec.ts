import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'ldapts';
import { ldapFactory } from '../../../docs/recipes/ldap.js';
import { Pool, type ResourceFactory } from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { describeWithSlapd, Slapd } from '../../support/slapd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { itKeepsTheContract } from './contract.js';

const { service, user } = Slapd;

let server: Slapd;

const factory = (port = server.port, password = service.password): ResourceFactory<Client> =>
  ldapFactory(service.dn, password, { url: `ldap://127.0.0.1:${port}` });

async function work(client: Client): Promise<void> {
  const { searchEntries } = await client.search('dc=example');
  // To a stranger the directory is empty.
  expect(searchEntries).toHaveLength(2);
}

const whoAmI = async (client: Client): Promise<unknown> =>
  (await client.exop('1.3.6.1.4.1.4203.1.11.3')).value;

describeWithSlapd('the recipe for LDAP', () => {
  beforeAll(async () => {
    server = await Slapd.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  itKeepsTheContract({
    port: () => server.port,
    factory: port => factory(port),
    work,
    secret: service.password,
  });

  it('is the service again after a borrower that was somebody, on the same connection', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1 });
    await pool.use(async client => {
      await client.bind(user.dn, user.password);
      expect(await whoAmI(client)).toBe(`dn:${user.dn}`);
    });
    await pool.use(async client => {
      expect(await whoAmI(client)).toBe(`dn:${service.dn}`);
      await work(client);
    });
    expect(proxy.attempts).toBe(1);
  });

  it('is the service again after a login that has failed, which leaves a connection bound to nobody', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const failed = pool.use(client => client.bind(user.dn, 'wrong'));
    expect(await failureOf(failed)).toMatchObject({ code: 49 });
    await pool.use(work);
    expect(pool.stats().totals.created).toBe(1);
  });

  it('is the service again after a bind that its borrower did not wait for', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    for (let i = 0; i < 20; i++) {
      await pool.use(async client => {
        failureOf(client.bind(user.dn, user.password)).catch(() => undefined);
      });
      expect(await pool.use(whoAmI)).toBe(`dn:${service.dn}`);
    }
  });

  it('cannot be bound by somebody whose lease has ended', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const kept = await pool.use(async client => ({ client }));
    await pool.use(async client => {
      expect(() => kept.client.bind(user.dn, user.password)).toThrow(
        expect.objectContaining({ code: 'POOL_LEASE_RELEASED' }),
      );
      expect(await whoAmI(client)).toBe(`dn:${service.dn}`);
    });
  });

  it('does not go on as nobody when its connection has broken', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1 });
    const lease = await pool.acquire();
    const { resource: client } = lease;
    const broken = new Promise(resolve => lease.signal.addEventListener('abort', resolve));
    proxy.resetAll();
    await broken;
    expect(await failureOf(client.search('dc=example'))).toMatchObject({
      message: 'The LDAP connection has closed',
    });
    expect(proxy.attempts).toBe(1);
    lease.release();
  });

  it('binds once with a password that is wrong, and does not show it', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = new Pool({ factory: factory(proxy.port, 'wr0ng'), unavailableAfter: 99 });
    const error = await failureOf(pool.acquire());
    expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: { code: 49 } });
    expect(proxy.attempts).toBe(1);
    expect(inspect(error, { depth: 9 })).not.toContain('wr0ng');
  });
});
