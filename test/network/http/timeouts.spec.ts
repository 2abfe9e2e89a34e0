import { afterEach, describe, expect, it } from '@jest/globals';
import { PoolTimeoutError, PoolUnavailableError } from '../../../src/engine/index.js';
import { HttpConnectError, HttpSession, HttpTimeoutError } from '../../../src/resources/http.js';
import { blockTheLoop, sent } from '../../support/block-the-loop.js';
import { until } from '../../support/until.js';
import { deadOrigin, httpServer, silentServer, type CountingServer } from './servers.js';

const SECRET = 'token=hunter2';
let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  await session.close({ timeout: 0 });
  await server.allClosed();
  await server.stop();
});

async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => {
      throw new Error('it has not failed');
    },
    (error: unknown) => error as Error,
  );
}

/** Somebody has the only connection, and hears nothing. */
async function takeTheOnlyOne(): Promise<void> {
  void session.request('/', { acquireTimeout: 60_000 }).catch(() => undefined);
  await until(
    () => session.stats().leased,
    leased => leased === 1,
  );
}

/** Everything that a log would show of it. */
function shown(error: Error): string {
  const parts: string[] = [];
  for (let one: Error | undefined = error; one; one = one.cause as Error | undefined) {
    parts.push(one.stack ?? '', JSON.stringify(one, Object.getOwnPropertyNames(one)));
  }
  return parts.join('\n');
}

describe('Timeouts', () => {
  it.each(['request', 'fetch'] as const)('of the headers say so, of %s', async way => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: server.origin, timeouts: { headers: 40 } });
    const error = await failure(session[way](`/?${SECRET}`));
    expect(error).toBeInstanceOf(HttpTimeoutError);
    expect(error).toMatchObject({
      phase: 'headers',
      code: 'UND_ERR_HEADERS_TIMEOUT',
      origin: server.origin,
      timeout: 40,
      message: `${server.origin}: no response headers within 40 ms (timeouts.headers).`,
    });
    expect(shown(error)).not.toContain(SECRET);
    expect(session.stats().leased).toBe(0);
  });

  it('of the body say so', async () => {
    server = await httpServer((_request, response) => void response.writeHead(200).write('a part'));
    session = new HttpSession({ baseUrl: server.origin, timeouts: { body: 40 } });
    const { body } = await session.request('/');
    expect(await failure(body.text())).toMatchObject({ phase: 'body', code: 'UND_ERR_BODY_TIMEOUT' });
    const response = await session.fetch('/');
    expect(await failure(response.text())).toMatchObject({ name: 'TypeError', cause: { phase: 'body' } });
  });

  it('of a connection are a failed create, which says so', async () => {
    // It takes the connection of TCP, and never answers to the handshake of TLS.
    server = await silentServer();
    session = new HttpSession({
      baseUrl: server.origin.replace('http:', 'https:'),
      timeouts: { connect: 30 },
      unavailableAfter: 1,
    });
    const error = await failure(session.fetch(`/?${SECRET}`));
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(error.cause).toMatchObject({ phase: 'connect', code: 'UND_ERR_CONNECT_TIMEOUT', timeout: 30 });
    expect(error.message).toContain('no connection within 30 ms (timeouts.connect)');
    expect(shown(error)).not.toContain(SECRET);
  });

  it('of a connection do not count what was open in time, though the process was blocked', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin, timeouts: { connect: 50 }, unavailableAfter: 1 });
    // From here on, timers come before sockets.
    await sent();
    const response = session.request('/');
    await new Promise(resolve => process.nextTick(resolve));
    blockTheLoop(200);
    expect((await response).statusCode).toBe(200);
    expect(server.connections).toBe(1);
  });

  it.each(['request', 'fetch'] as const)('in total hold also in the queue, of %s', async way => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: server.origin, max: 1 });
    await takeTheOnlyOne();
    const error = await failure(session[way]('/', { timeouts: { total: 40 } }));
    expect(error).toMatchObject({ phase: 'total', code: 'HTTP_TOTAL_TIMEOUT', timeout: 40 });
    expect(session.stats().waiting).toBe(0);
  });

  it('in total hold while a body trickles', async () => {
    server = await httpServer((_request, response) => {
      const timer = setInterval(() => response.write('.'), 5);
      response.once('close', () => clearInterval(timer));
    });
    session = new HttpSession({ baseUrl: server.origin, timeouts: { total: 1_000 } });
    const { body } = await session.request('/');
    expect(await failure(body.text())).toMatchObject({ phase: 'total' });
    const response = await session.fetch('/');
    expect(await failure(response.text())).toMatchObject({ cause: { phase: 'total' } });
  });

  it('in total hold over all redirects together', async () => {
    server = await httpServer((_request, response) => {
      setTimeout(() => response.writeHead(302, { location: `/${Math.random()}` }).end(), 10);
    });
    session = new HttpSession({ baseUrl: server.origin, timeouts: { total: 80 } });
    expect(await failure(session.fetch('/'))).toMatchObject({ phase: 'total' });
  });

  it('of one request are its own', async () => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: server.origin, timeouts: { headers: 60_000 } });
    expect(await failure(session.request('/', { timeouts: { headers: 30 } }))).toMatchObject({ timeout: 30 });
    expect(await failure(session.request('/', { headersTimeout: 40 }))).toMatchObject({ timeout: 40 });
    await expect(session.request('/', { timeouts: { headers: -1 } })).rejects.toThrow(/"headers" is -1/);
  });

  it('that are misspelt are refused', async () => {
    server = await httpServer((_request, response) => response.end());
    session = new HttpSession({ name: 'github', baseUrl: server.origin });
    const timeouts = { headrs: 100 } as { headers?: number };
    const message =
      'HttpSession "github", timeouts: unknown option "headrs"; known are connect, headers, body, total.';
    expect(() => new HttpSession({ name: 'github', timeouts })).toThrow(message);
    await expect(session.fetch('/', { timeouts })).rejects.toThrow(message);
    await expect(session.request('/', { timeouts })).rejects.toThrow(message);
  });

  it('of the queue are those of the pool', async () => {
    server = await silentServer();
    session = new HttpSession({ name: 'quiet', baseUrl: server.origin, max: 1, acquireTimeout: 40 });
    await takeTheOnlyOne();
    const error = await failure(session.fetch(`/?${SECRET}`));
    expect(error).toBeInstanceOf(PoolTimeoutError);
    expect(error.message).toContain(`Pool "quiet[${server.origin}]": no resource within 40 ms`);
    expect(shown(error)).not.toContain(SECRET);
    await expect(session.request('/', { acquireTimeout: 20 })).rejects.toThrow('within 20 ms');
  });
});

describe('An origin where nothing listens', () => {
  it('is a failed create, which says so and keeps quiet about the rest', async () => {
    server = await silentServer();
    const dead = await deadOrigin();
    session = new HttpSession({ baseUrl: `${dead}/${SECRET}`, createBackoff: { initial: 1, max: 1 } });
    const error = await failure(session.fetch('x', { headers: { authorization: SECRET } }));
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(error.cause).toBeInstanceOf(HttpConnectError);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED', origin: dead });
    expect(shown(error)).not.toContain(SECRET);
    // And from then on it is at once.
    await expect(session.request('/')).rejects.toBeInstanceOf(PoolUnavailableError);
  });

  it('is not tried again and again when its name does not exist', async () => {
    server = await silentServer();
    session = new HttpSession({ baseUrl: 'http://nowhere.invalid' });
    const error = await failure(session.request('/'));
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(session.stats().totals.createFailed).toBe(1);
  });
});
