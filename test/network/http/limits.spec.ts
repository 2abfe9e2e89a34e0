import { afterEach, describe, expect, it } from '@jest/globals';
import { PoolQueueFullError } from '../../../src/engine/index.js';
import { HttpSession, PooledAgent } from '../../../src/resources/http.js';
import { until } from '../../support/until.js';
import { httpServer, silentServer, type CountingServer } from './servers.js';

const servers: CountingServer[] = [];
let session: HttpSession;

async function a(server: Promise<CountingServer>): Promise<CountingServer> {
  servers.push(await server);
  return server;
}

afterEach(async () => {
  await session.close({ timeout: 0 });
  for (const server of servers.splice(0)) {
    await server.allClosed();
    await server.stop();
  }
});

describe('Limits', () => {
  it('leave others their share where one origin takes connections of TCP and never answers', async () => {
    const hole = await a(silentServer());
    const good = await a(httpServer());
    session = new HttpSession({ max: 10, maxTotal: 4, timeouts: { connect: 1_000 } });
    const blackhole = hole.origin.replace('http:', 'https:');
    const hanging = Array.from({ length: 20 }, () =>
      session.request(`${blackhole}/`).catch((error: unknown) => error),
    );
    await until(
      () => hole.open,
      open => open > 0,
    );
    for (let i = 0; i < 50; i++) {
      expect(await (await session.request(`${good.origin}/${i}`)).body.text()).toBe(`GET /${i}`);
    }
    expect(session.stats().totals.timedOut).toBe(0);
    expect(hole.peak + good.peak).toBeLessThanOrEqual(4);
    await session.close({ timeout: 0 });
    await Promise.all(hanging);
  });

  it('of one origin are not those of another', async () => {
    const slow = await a(httpServer(() => undefined));
    const good = await a(httpServer());
    session = new HttpSession({ max: 2, maxTotal: 10 });
    const hanging = Array.from({ length: 10 }, () =>
      session.request(slow.origin).catch((error: unknown) => error),
    );
    await until(
      () => slow.requests.length,
      length => length === 2,
    );
    expect(await (await session.request(`${good.origin}/`)).body.text()).toBe('GET /');
    expect(slow.peak).toBe(2);
    expect(session.stats(slow.origin)).toMatchObject({ leased: 2, waiting: 8 });
    await session.close({ timeout: 0 });
    await Promise.all(hanging);
  });

  it('serve by priority, and then in the order of their coming', async () => {
    const order: string[] = [];
    const slow = await a(
      httpServer((request, response) => {
        order.push(request.url!);
        setTimeout(() => response.end(), 1);
      }),
    );
    session = new HttpSession({ baseUrl: slow.origin, max: 1 });
    const calls = [
      session.request('/first'),
      session.fetch('/low', { priority: 'low' }),
      session.fetch('/normal-1'),
      session.request('/normal-2'),
      session.request('/high', { priority: 'high' }),
    ];
    await Promise.all(calls);
    expect(order).toEqual(['/high', '/first', '/normal-1', '/normal-2', '/low']);
  });

  it('bound the queue', async () => {
    const slow = await a(httpServer(() => undefined));
    session = new HttpSession({ baseUrl: slow.origin, max: 1, maxWaiting: 2 });
    const hanging = Array.from({ length: 3 }, () => session.request('/').catch((error: unknown) => error));
    await until(
      () => slow.requests.length,
      length => length === 1,
    );
    await expect(session.request('/')).rejects.toBeInstanceOf(PoolQueueFullError);
    await expect(session.fetch('/')).rejects.toBeInstanceOf(PoolQueueFullError);
    await session.close({ timeout: 0 });
    await Promise.all(hanging);
  });

  it('tell listeners what happens', async () => {
    const server = await a(httpServer());
    const told: string[] = [];
    session = new HttpSession({
      baseUrl: server.origin,
      listeners: [{ onCreate: ({ pool }) => told.push(pool) }],
    });
    const forget = session.addListener({ onAcquire: () => told.push('acquire') });
    await (await session.request('/')).body.dump();
    forget();
    await (await session.request('/')).body.dump();
    expect(told).toEqual([`http[${server.origin}]`, 'acquire']);
  });
});

it('Thousands of origins leave nothing behind', async () => {
  const server = await a(httpServer());
  const port = new URL(server.origin).port;
  const agent = new PooledAgent({ max: 2, maxTotal: 400, unavailableAfter: 1 });
  session = new HttpSession({}, agent.pool);
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < 2_000) {
      const i = next++;
      // All of 127.0.0.0/8 is this machine, but only one address is listened to: the others are refused.
      const host = i % 10 === 0 ? '127.0.0.1' : `127.1.${i >> 8}.${i & 255}`;
      await session
        .request(`http://${host}:${port}/`)
        .then(({ body }) => body.dump())
        .catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: 100 }, one));
  expect(session.stats()).toMatchObject({ leased: 0, waiting: 0 });
  expect(session.stats().keys).toBeLessThanOrEqual(1);
  expect(server.peak).toBeLessThanOrEqual(2);
});
