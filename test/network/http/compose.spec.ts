import { afterEach, describe, expect, it } from '@jest/globals';
import { HttpModule, HttpService } from '@nestjs/axios';
import { Test } from '@nestjs/testing';
import axios, { AxiosError } from 'axios';
import { cookie } from 'http-cookie-agent/undici';
import { firstValueFrom } from 'rxjs';
import { CookieJar } from 'tough-cookie';
import { Agent, Request as UndiciRequest, fetch as undiciFetch, interceptors, request, stream } from 'undici';
import { Writable } from 'node:stream';
import { HttpSession, PooledAgent } from '../../../src/resources/http.js';
import { httpServer, silentServer, type CountingServer } from './servers.js';

let server: CountingServer;
let session: HttpSession | undefined;

afterEach(async () => {
  await session?.close();
  session = undefined;
  await server.allClosed();
  await server.stop();
});

describe('fetch of a session', () => {
  it('needs no this, and takes a Request of Node and of undici', async () => {
    server = await httpServer((incoming, response) => {
      response.setHeader('x-type', incoming.headers['content-type'] ?? '-');
      response.write(`${incoming.method} ${incoming.url} `);
      incoming.pipe(response);
    });
    session = new HttpSession({ baseUrl: server.origin });
    const { fetch } = session;
    for (const kind of [Request, UndiciRequest]) {
      const post = new kind(`${server.origin}/a`, {
        method: 'POST',
        body: 'text',
        headers: { 'content-type': 'text/x' },
      });
      const response = await fetch(post);
      expect(response.headers.get('x-type')).toBe('text/x');
      expect(await response.text()).toBe('POST /a text');
      expect(await (await fetch(new kind(`${server.origin}/b`) as UndiciRequest)).text()).toBe('GET /b ');
    }
    expect(await (await fetch(new URL('/c', server.origin))).text()).toBe('GET /c ');
    expect(await (await fetch('/d', { method: 'PUT', body: JSON.stringify({}) })).text()).toBe('PUT /d {}');
    expect(server.connections).toBe(1);
  });

  it('stops where the signal of a Request does', async () => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: server.origin });
    const signal = AbortSignal.timeout(30);
    await expect(session.fetch(new Request(server.origin, { signal }))).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

describe('With axios', () => {
  it('a session serves its fetch adapter', async () => {
    server = await httpServer((incoming, response) => {
      if (incoming.url === '/gone') response.writeHead(410).end('{"why":"gone"}');
      else response.setHeader('content-type', 'application/json').end(`{"url":"${incoming.url}"}`);
    });
    session = new HttpSession({ baseUrl: server.origin });
    const client = axios.create({
      adapter: 'fetch',
      baseURL: server.origin,
      env: { fetch: session.fetch as typeof fetch },
    });
    for (let i = 0; i < 20; i++) {
      expect((await client.get(`/${i}`, { params: { a: 1 } })).data).toEqual({ url: `/${i}?a=1` });
      expect((await client.post('/', { some: 'json' })).status).toBe(200);
    }
    await expect(client.get('/gone')).rejects.toMatchObject({ status: 410 });
    expect(server.connections).toBe(1);
    expect(session.stats().totals.acquired).toBe(41);
  });

  it('an error of the session is told', async () => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: server.origin, timeouts: { headers: 30 } });
    const client = axios.create({ adapter: 'fetch', env: { fetch: session.fetch as typeof fetch } });
    const error = await client.get(server.origin).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(AxiosError);
    expect(error).toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  it('the HttpService of @nestjs/axios does', async () => {
    server = await httpServer();
    const mine = (session = new HttpSession({ baseUrl: server.origin }));
    const module = await Test.createTestingModule({
      imports: [
        HttpModule.registerAsync({
          useFactory: () => ({
            adapter: 'fetch',
            baseURL: server.origin,
            env: { fetch: mine.fetch as typeof fetch },
          }),
        }),
      ],
    }).compile();
    const { data } = await firstValueFrom(module.get(HttpService).get<string>('/x'));
    expect(data).toBe('GET /x');
    expect(mine.stats().totals.acquired).toBe(1);
    await module.close();
  });
});

describe('With interceptors of undici', () => {
  it('cookies are kept in a jar of tough-cookie, and go where they belong', async () => {
    server = await httpServer((incoming, response) => {
      if (incoming.url === '/login') response.setHeader('set-cookie', 'sid=1; Path=/; HttpOnly').end();
      else
        response.end(
          incoming.headers.cookie === undefined || incoming.headers.cookie === ''
            ? 'none'
            : incoming.headers.cookie,
        );
    });
    const other = await httpServer((incoming, response) =>
      response.end(
        incoming.headers.cookie === undefined || incoming.headers.cookie === ''
          ? 'none'
          : incoming.headers.cookie,
      ),
    );
    const jar = new CookieJar();
    session = new HttpSession({ baseUrl: server.origin, interceptors: [cookie({ jar: jar as never })] });
    await (await session.request('/login')).body.dump();
    expect(await (await session.request('/')).body.text()).toBe('sid=1');
    expect(await (await session.fetch('/')).text()).toBe('sid=1');
    const elsewhere = other.origin.replace('127.0.0.1', 'localhost');
    expect(await (await session.request(elsewhere, { acquireTimeout: 2_000 })).body.text()).toBe('none');
    expect(server.connections).toBe(1);
    await session.close();
    await other.stop();
  });

  it('retry tries again, on the same connection', async () => {
    let times = 0;
    server = await httpServer((_incoming, response) => {
      times++;
      response.writeHead(times % 3 === 0 ? 200 : 503).end(`${times}`);
    });
    session = new HttpSession({
      baseUrl: server.origin,
      headers: { 'x-key': 'kept' },
      interceptors: [interceptors.retry({ maxRetries: 3, minTimeout: 1, timeoutFactor: 1 })],
    });
    expect(await (await session.request('/')).body.text()).toBe('3');
    expect(await (await session.fetch('/')).text()).toBe('6');
    expect(session.stats().leased).toBe(0);
  });

  it('all of undici takes the dispatcher', async () => {
    server = await httpServer();
    session = new HttpSession({ interceptors: [interceptors.responseError()] });
    const { dispatcher } = session;
    expect(await (await request(server.origin, { dispatcher })).body.text()).toBe('GET /');
    expect(await (await undiciFetch(server.origin, { dispatcher })).text()).toBe('GET /');
    let streamed = '';
    await stream(server.origin, { dispatcher, method: 'GET' }, () => {
      return new Writable({
        write(chunk: Buffer, _encoding, done) {
          streamed += chunk.toString();
          done();
        },
      });
    });
    expect(streamed).toBe('GET /');
    expect(server.connections).toBe(1);
  });

  it('an upgrade keeps its place until its socket closes', async () => {
    server = await httpServer();
    const { createServer } = await import('node:http');
    const { started } = await import('./servers.js');
    const upgrading = createServer();
    upgrading.on('upgrade', (_incoming, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
      socket.pipe(socket);
    });
    const counted = await started(upgrading);
    const agent = new PooledAgent({ max: 1 });
    const { socket } = await agent.upgrade({ origin: counted.origin, path: '/', protocol: 'echo' } as never);
    expect(agent.pool.stats().leased).toBe(1);
    socket.write('hello');
    const [data] = (await new Promise<Buffer[]>(resolve =>
      socket.once('data', chunk => resolve([chunk as Buffer])),
    )) as [Buffer];
    expect(data.toString()).toBe('hello');
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.destroy();
    await closed;
    expect(agent.pool.stats().leased).toBe(0);
    await agent.close();
    await counted.allClosed();
    await counted.stop();
  });
});

it('undici itself is as it was: these tests count what an Agent does', async () => {
  server = await httpServer();
  const agent = new Agent();
  await (await request(server.origin, { dispatcher: agent })).body.dump();
  expect(server.connections).toBe(1);
  await agent.close();
});
