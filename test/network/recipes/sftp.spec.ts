import type { Duplex } from 'node:stream';
import { inspect, promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ssh2 from 'ssh2';
import { sftpFactory, type SftpConnection } from '../../../docs/recipes/sftp.js';
import { Pool, type ResourceFactory } from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { itKeepsTheContract, untilIdle } from './contract.js';
import { PASSWORD, SftpServer, USER } from './sftp-server.js';

let server: SftpServer;

beforeAll(async () => {
  server = await SftpServer.listen();
});
afterAll(() => server[Symbol.asyncDispose]());

function factory(port = server.port, password = PASSWORD): ResourceFactory<SftpConnection> {
  const parsed = ssh2.utils.parseKey(server.hostKey.public);
  if (parsed instanceof Error) throw parsed;
  const known = parsed.getPublicSSH();
  return sftpFactory({
    ...{ host: '127.0.0.1', port, username: USER, password },
    hostVerifier: key => key.equals(known),
  });
}

const work = ({ sftp }: SftpConnection): Promise<string> =>
  promisify<string, string>(sftp.realpath.bind(sftp))('.');
const open = ({ sftp }: SftpConnection): Promise<Buffer> =>
  promisify<string, 'r', Buffer>(sftp.open.bind(sftp))('/file', 'r');

describe('the recipe for SFTP', () => {
  itKeepsTheContract({
    port: () => server.port,
    factory: port => factory(port),
    work,
    connections: () => server.connections.size,
    secret: PASSWORD,
  });

  it('closes the files that a borrower has left open, and keeps the connection', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    await pool.use(async connection => {
      await open(connection);
      expect(server.handles.size).toBe(1);
    });
    await pool.use(async connection => {
      expect(server.handles.size).toBe(0);
      expect(server.sessions.size).toBe(1);
      await work(connection);
    });
    expect(pool.stats().totals.created).toBe(1);
  });

  it('lets nobody read on with the session of a lease that has ended', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const [kept, handle] = await pool.use(async connection => [connection.sftp, await open(connection)]);
    let answers = 0;
    await pool.use(async connection => {
      expect(connection.sftp).not.toBe(kept);
      try {
        kept.read(handle, Buffer.alloc(9), 0, 9, 0, () => answers++);
      } catch {
        // As good an answer.
      }
      await work(connection);
    });
    expect(answers).toBe(0);
  });

  it('lends a connection on after an error that is an answer', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const missing = pool.use(({ sftp }) =>
      promisify<string, 'r', Buffer>(sftp.open.bind(sftp))('/none', 'r'),
    );
    expect(await failureOf(missing)).toMatchObject({ code: 2 });
    await pool.use(work);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it.each([6, 7])(
    'destroys a connection after an error with the code %i, which says that it is lost',
    async code => {
      await using pool = new Pool({ factory: factory(), max: 1 });
      const lost = Object.assign(new Error('lost'), { code });
      expect(await failureOf(pool.use(() => Promise.reject(lost)))).toBe(lost);
      await until(
        () => pool.stats().totals.destroyedBy,
        ({ fatal }) => fatal === 1,
      );
    },
  );

  it('replaces a connection whose SFTP session the server has ended', async () => {
    await using pool = new Pool({ factory: factory(), max: 1, validateAfterIdle: Infinity });
    await pool.use(work);
    await untilIdle(pool, 1);
    for (const session of server.sessions) session.end();
    await untilIdle(pool, 0);
    await pool.use(work);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { invalid: 1 } });
  });

  it('outlives an SFTP session that talks nonsense', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const lease = await pool.acquire();
    (lease.resource.sftp as unknown as Duplex).push(Buffer.from([0, 0, 0, 1, 255]));
    expect(lease.broken).toBe(true);
    lease.release();
    await pool.use(work);
  });

  it('leaves no socket to a server that has fallen silent', async () => {
    await using proxy = await TcpProxy.before(server.port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1, destroyTimeout: 5_000 });
    const lease = await pool.acquire();
    const { socket } = lease.resource;
    proxy.blackhole('all');
    lease.destroy();
    // Nobody answers the goodbye.
    await until(
      () => socket.closed,
      closed => closed,
    );
  });

  it('asks once with a password that is wrong, and does not show it', async () => {
    const refused = server.refused;
    await using pool = new Pool({ factory: factory(server.port, 'wr0ng'), unavailableAfter: 99 });
    const error = await failureOf(pool.acquire());
    expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: { level: 'client-authentication' } });
    expect(server.refused).toBe(refused + 1);
    expect(inspect(error, { depth: 9 })).not.toContain('wr0ng');
  });

  it('does not talk to a server with another key', async () => {
    const options = { host: '127.0.0.1', port: server.port, username: USER, password: PASSWORD };
    await using pool = new Pool({
      factory: sftpFactory({ ...options, hostVerifier: () => false }),
      unavailableAfter: 1,
    });
    expect(await failureOf(pool.acquire())).toMatchObject({ code: 'POOL_UNAVAILABLE' });
  });
});
