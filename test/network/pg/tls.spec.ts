import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg, { type Client } from 'pg';
import { Pool, PoolUnavailableError } from '../../../src/engine/index.js';
import { pgPool, type PgPoolOptions } from '../../../src/resources/pg.js';
import { failureOf } from '../../support/follow.js';
import { PostgresWatch } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tlsFile, tlsPath } from '../../support/tls-files.js';
import { until } from '../../support/until.js';

/** `observer` may come without TLS, and looks from outside; `certified` needs a certificate. */
const HBA = `
host    all observer  127.0.0.1/32 trust
hostssl all certified 127.0.0.1/32 cert map=people
hostssl all all       127.0.0.1/32 trust
`;

let server: LocalPostgres;
let watch: PostgresWatch;

beforeAll(async () => {
  const texts = Object.fromEntries(['ca.crt', 'server.crt', 'server.key'].map(name => [name, tlsFile(name)]));
  server = await startPostgres({
    maxConnections: 30,
    files: { ...texts, 'pg_hba.conf': HBA, 'pg_ident.conf': 'people postgres certified' },
    settings: {
      ssl: 'on',
      ssl_cert_file: 'server.crt',
      ssl_key_file: 'server.key',
      ssl_ca_file: 'ca.crt',
      hba_file: 'pg_hba.conf',
      ident_file: 'pg_ident.conf',
    },
  });
  const admin = new pg.Client({ connectionString: server.url, ssl: { ca: tlsFile('ca.crt') } });
  await admin.connect();
  await admin.query('create role observer superuser login; create role certified login');
  await admin.end();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server, server.url.replace('postgres@', 'observer@'));
});
afterEach(async () => {
  await watch[Symbol.asyncDispose]();
});

const ca = tlsFile('ca.crt');
const OTHER: PgPoolOptions = { ssl: { ca: tlsFile('other-ca.crt') } };
const one = (options: PgPoolOptions = {}): Pool<Client> =>
  new Pool(
    pgPool({
      connectionString: server.url,
      application_name: watch.application,
      max: 1,
      ssl: { ca },
      ...options,
    }),
  );

const encryptionOf = async (client: Client): Promise<unknown> =>
  (await client.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).rows[0]!
    .ssl;

/** The server shows another certificate, from the next connection on. */
async function shows(name: string): Promise<void> {
  for (const kind of ['crt', 'key'])
    await writeFile(`${server.files}/server.${kind}`, tlsFile(`${name}.${kind}`));
  await watch.sql('select pg_reload_conf()');
  const shown = new X509Certificate(tlsFile(`${name}.crt`)).fingerprint;
  await until(
    async () => {
      const client = new pg.Client({ connectionString: server.url, ssl: { rejectUnauthorized: false } });
      await client.connect();
      const { fingerprint } = (client.connection.stream as TLSSocket).getPeerCertificate();
      await client.end();
      return fingerprint;
    },
    fingerprint => fingerprint === shown,
  );
}

describe('a connection with TLS', () => {
  it.each<[string, PgPoolOptions]>([
    ['with the authority of its certificate', {}],
    ['by a negotiation that begins with TLS', { sslnegotiation: 'direct' }],
    ['without looking at its certificate', { ssl: { rejectUnauthorized: false } }],
  ])('is encrypted %s', async (_how, options) => {
    await using pool = one(options);
    expect(await pool.use(encryptionOf)).toBe(true);
  });

  it.each([
    [`sslmode=verify-full&sslrootcert=${tlsPath('ca.crt')}`],
    [`sslmode=no-verify`],
    [`sslmode=require&uselibpqcompat=true`],
  ])('is encrypted as the connection string says: %s', async query => {
    await using pool = one({ connectionString: `${server.url}?${query}`, ssl: undefined });
    expect(await pool.use(encryptionOf)).toBe(true);
  });

  it('shows a certificate of its own to a server that asks for one', async () => {
    const url = server.url.replace('postgres@', 'certified@');
    await using pool = one({
      connectionString: url,
      ssl: { ca, cert: tlsFile('client.crt'), key: tlsFile('client.key') },
    });
    expect(await pool.use(encryptionOf)).toBe(true);

    await using bare = one({ connectionString: url, unavailableAfter: 99 });
    const error = await failureOf(bare.acquire());
    expect(error).toMatchObject({ message: expect.stringContaining('valid client certificate') });
    expect(bare.stats().totals.createFailed).toBe(1);
  });

  it('does not show its key when the options of its pool are logged', () => {
    const options = pgPool({ ssl: { ca, key: tlsFile('client.key') } });
    expect(inspect(options, { depth: 9, showHidden: true }) + JSON.stringify(options)).not.toContain(
      'PRIVATE KEY',
    );
  });
});

describe('a certificate that is not good', () => {
  afterEach(() => shows('server'));

  it.each<[string, string, PgPoolOptions, string, string]>([
    [
      'of another authority',
      'server',
      OTHER,
      'SELF_SIGNED_CERT_IN_CHAIN',
      'Tell whom to trust with ssl: { ca }',
    ],
    ['of an unknown authority', 'server', { ssl: true }, 'SELF_SIGNED_CERT_IN_CHAIN', 'Tell whom to trust'],
    ['of another host', 'elsewhere', {}, 'ERR_TLS_CERT_ALTNAME_INVALID', 'Connect to a host that it names'],
    ['that has expired', 'expired', {}, 'CERT_HAS_EXPIRED', 'It has to be renewed'],
  ])('%s fails the create at once, and says what to do', async (_what, name, options, code, remedy) => {
    await shows(name);
    await using pool = one({ unavailableAfter: 99, ...options });
    const error = await failureOf(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    const { cause } = error as { cause: Error };
    expect(cause).toMatchObject({ code });
    expect(cause.message).toContain(
      `The certificate of the server at 127.0.0.1:${server.port} was not accepted: `,
    );
    expect(cause.message).toContain(`(${code}). ${remedy}`);
    expect(pool.stats().totals.createFailed).toBe(1);
    expect(await watch.backends()).toEqual([]);
  });

  it('by the connection string fails as well', async () => {
    await using pool = one({
      connectionString: `${server.url}?sslmode=verify-full&sslrootcert=${tlsPath('other-ca.crt')}`,
      unavailableAfter: 99,
      ssl: undefined,
    });
    expect(await failureOf(pool.acquire())).toMatchObject({
      cause: { code: 'SELF_SIGNED_CERT_IN_CHAIN' },
    });
    expect(pool.stats().totals.createFailed).toBe(1);
  });

  it('does not become good by trying again, and neither does a server without TLS, or one that wants it', async () => {
    await using plain = await startPostgres();
    for (const options of [{ connectionString: plain.url }, { ssl: false }]) {
      await using pool = one({ unavailableAfter: 99, ...options });
      const error = await failureOf(pool.acquire());
      expect(error).toMatchObject({ message: expect.stringMatching(/does not support SSL|no encryption/) });
      expect(pool.stats().totals.createFailed).toBe(1);
    }
  });

  it('that is good again is accepted again', async () => {
    await shows('expired');
    await using pool = one();
    await failureOf(pool.acquire());
    await shows('server');
    await until(
      () => pool.use(encryptionOf).catch(() => false),
      encrypted => encrypted === true,
    );
  });
});

describe('a query on a server that admits TLS only', () => {
  afterEach(() => shows('server'));
  /** The first bytes that clients have sent, of each connection. */
  let first: string[];
  let proxy: TcpProxy;
  beforeEach(async () => {
    first = [];
    proxy = await TcpProxy.before(server.port, bytes => {
      first.push(bytes.subarray(4, 8).toString('hex'));
      return true;
    });
  });
  afterEach(() => proxy[Symbol.asyncDispose]());

  const CANCEL = '04d2162e';
  const TLS = '04d2162f';

  it.each<[string, PgPoolOptions]>([
    ['is cancelled by an encrypted request', {}],
    ['is cancelled by a request that begins with TLS', { sslnegotiation: 'direct' }],
  ])('%s when its lease is destroyed', async (_how, options) => {
    const connectionString = server.url.replace(String(server.port), String(proxy.port));
    await using pool = one({ connectionString, ...options });
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    await watch.untilRunning('pg_sleep');

    lease.destroy();

    expect(await query).toMatchObject({ code: '57014' });
    await lease.finished;
    expect(await watch.backends()).toEqual([]);
    expect(proxy.attempts).toBe(2);
    expect(first).not.toContain(CANCEL);
    if (options.sslnegotiation === undefined) expect(first).toEqual([TLS, TLS]);
    await until(
      () => proxy.open,
      open => open === 0,
    );
  });

  it('is cancelled when its lease is given back, and its connection goes to the next', async () => {
    await using pool = one();
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    lease.release();
    expect(await pool.use(encryptionOf)).toBe(true);
    expect(await query).toMatchObject({ code: '57014' });
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('is not cancelled by a request to a server whose certificate is not good', async () => {
    await using pool = one({ destroyTimeout: 1_000 });
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    await watch.untilRunning('pg_sleep');
    const [{ pid } = { pid: 0 }] = await watch.backends();
    await shows('expired');
    lease.destroy();
    // It ends with its socket.
    expect(await query).toMatchObject({ message: expect.stringContaining('Connection terminated') });
    await lease.finished;
    expect(await watch.backends()).toMatchObject([{ pid, state: 'active' }]);
    await watch.terminate(pid);
  });

  it('would also be cancelled by one in plain text: such requests are not asked for what pg_hba.conf demands', async () => {
    await using pool = one();
    const lease = await pool.acquire();
    const query = failureOf(lease.resource.query('select pg_sleep(3600)'));
    await watch.untilRunning('pg_sleep');
    const { processID, secretKey } = lease.resource as Client & { processID?: number; secretKey?: number };
    const request = Buffer.alloc(16);
    [16, 80877102, processID!, secretKey!].forEach((word, index) => request.writeInt32BE(word, index * 4));
    connect(server.port, '127.0.0.1').end(request);
    expect(await query).toMatchObject({ code: '57014' });
    lease.release();
  });
});
