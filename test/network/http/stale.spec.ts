import { afterEach, describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { HttpSession } from '../../../src/resources/http.js';
import { until } from '../../support/until.js';
import { OK, httpServer, tcpServer, type CountingServer } from './servers.js';

let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  await session.close();
  await server.stop();
});

/** A server that answers the first request of each connection, and closes it when the next one comes, without a word. */
function closesOnSecond(): Promise<CountingServer> {
  return tcpServer((socket, part) => {
    if (part === 1) socket.write(OK);
    else socket.destroy();
  });
}

describe('A server that closes idle connections', () => {
  it('costs no request, as a connection that is closed is not lent', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 10; i++) {
      await (await session.request('/', { method: 'POST', body: 'x' })).body.dump();
      for (const socket of server.sockets) socket.end();
      await until(
        () => session.stats().total,
        total => total === 0,
      );
    }
    expect(server.connections).toBe(10);
    expect(session.stats().totals.destroyedBy).toEqual({ invalid: 10 });
  });

  it('costs no request also when it closes them just as they are lent', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin, max: 2 });
    for (let i = 0; i < 50; i++) {
      // Nobody waits for the news to arrive.
      for (const socket of server.sockets) socket.end();
      expect(await (await session.request(`/${i}`)).body.text()).toBe(`GET /${i}`);
    }
  });

  it('costs no request where it closes one on which a request is being written', async () => {
    server = await closesOnSecond();
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 4; i++) expect(await (await session.request('/')).body.text()).toBe('ok');
    for (let i = 0; i < 4; i++) expect(await (await session.fetch('/')).text()).toBe('ok');
    expect(server.connections).toBe(8);
  });

  it('costs no request where it does so with all of them at once', async () => {
    server = await closesOnSecond();
    session = new HttpSession({ baseUrl: server.origin, max: 5, growth: 'eager' });
    const five = (): Promise<string[]> =>
      Promise.all(Array.from({ length: 5 }, async () => (await session.request('/')).body.text()));
    expect(await five()).toEqual(Array(5).fill('ok'));
    expect(session.stats().idle).toBe(5);
    // The one request meets five dead connections, one after the other.
    expect(await (await session.request('/')).body.text()).toBe('ok');
  });

  it.each(['PUT', 'DELETE'] as const)(
    'costs no %s, which may be sent twice, as its body is at hand',
    async method => {
      server = await closesOnSecond();
      session = new HttpSession({ baseUrl: server.origin });
      await (await session.request('/')).body.dump();
      expect((await session.request('/', { method, body: 'text' })).statusCode).toBe(200);
      expect(server.requests).toEqual(['GET /', `${method} /`, `${method} /`]);
    },
  );
});

describe('A request that may have been processed', () => {
  it('is not sent again when it is a POST', async () => {
    server = await closesOnSecond();
    session = new HttpSession({ baseUrl: server.origin });
    await (await session.request('/')).body.dump();
    await expect(session.request('/pay', { method: 'POST', body: '1 €' })).rejects.toMatchObject({
      code: 'UND_ERR_SOCKET',
    });
    expect(server.requests.filter(line => line === 'POST /pay')).toHaveLength(1);
  });

  it('is sent again when its caller says that it may be', async () => {
    server = await closesOnSecond();
    session = new HttpSession({ baseUrl: server.origin });
    await (await session.request('/')).body.dump();
    const { statusCode } = await session.request('/find', { method: 'POST', body: '?', idempotent: true });
    expect(statusCode).toBe(200);
  });

  it('is not sent again when its body is gone', async () => {
    server = await closesOnSecond();
    session = new HttpSession({ baseUrl: server.origin });
    await (await session.request('/')).body.dump();
    const body = Readable.from(['once']);
    await expect(session.request('/', { method: 'PUT', body })).rejects.toMatchObject({
      code: 'UND_ERR_SOCKET',
    });
  });

  it('is not sent again when a part of the response has come', async () => {
    server = await tcpServer((socket, part) => {
      if (part === 1) socket.write(OK);
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhal');
    });
    session = new HttpSession({ baseUrl: server.origin });
    await (await session.request('/')).body.dump();
    const { body } = await session.request('/half');
    await expect(body.text()).rejects.toThrow();
    expect(server.requests).toEqual(['GET /', 'GET /half']);
  });

  it('is not sent again when the connection was new', async () => {
    server = await tcpServer(socket => socket.destroy());
    session = new HttpSession({ baseUrl: server.origin });
    await expect(session.request('/')).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(server.requests).toEqual(['GET /']);
  });
});

describe('An idle connection', () => {
  it('is closed before the server, which has said when, would do so', async () => {
    server = await httpServer((_request, response) =>
      response.setHeader('connection', 'keep-alive').setHeader('keep-alive', 'timeout=3').end('ok'),
    );
    session = new HttpSession({ baseUrl: server.origin, idleTimeout: 60_000 });
    await (await session.request('/')).body.dump();
    expect(session.stats().idle).toBe(1);
    // Three seconds, less two for the way.
    await until(
      () => session.stats().total,
      total => total === 0,
    );
    await server.allClosed();
  });

  it('is closed after idleTimeout where the server has not said anything', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin, idleTimeout: 30 });
    await (await session.request('/')).body.dump();
    await until(
      () => session.stats().total,
      total => total === 0,
    );
    await server.allClosed();
  });

  it('that nobody has used yet is noticed to end', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin });
    // Borrowed and given back, without a request.
    await session.pool.use(server.origin, () => undefined);
    expect(session.stats().idle).toBe(1);
    for (const socket of server.sockets) socket.end();
    await until(
      () => session.stats().total,
      total => total === 0,
    );
  });
});
