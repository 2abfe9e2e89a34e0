import { once } from 'node:events';
import { createServer, request as ask, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import compress from '@fastify/compress';
import { describe, expect, test } from '@jest/globals';
import {
  Injectable,
  Scope,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import compression from 'compression';
import helmet from 'helmet';
import { PoolDashboardModule } from '../../../src/dashboard/index.js';
import { DashboardFeed } from '../../../src/dashboard/feed.js';
import { PoolModule } from '../../../src/module/pool.module.js';
import { PLATFORMS } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { eventsOf, next, servedForATest, things } from './world.js';

const { launch, ends } = servedForATest();

describe.each(PLATFORMS)('on %s', platform => {
  test('compression of the application holds back no event, and the page is compressed', async () => {
    const { url } = await launch({ open: true }, undefined, {
      platform,
      prepare: async app => {
        if (platform === 'express') app.use(compression({ threshold: 0 }));
        else await (app as NestFastifyApplication).register(compress, { threshold: 0 });
      },
    });
    const headers = { 'accept-encoding': 'gzip' };
    const page = await fetch(`${url}/pools/page.js`, { headers });
    expect(page.headers.get('content-encoding')).toBe('gzip');
    expect(await page.text()).toContain('connect(');
    const stream = await fetch(`${url}/pools/events`, { headers });
    expect(stream.headers.get('content-encoding')).toBeNull();
    const events = eventsOf(stream);
    expect((await next(events)).event).toBe('full');
    for (let i = 0; i < 2; i++) expect((await next(events)).event).toBe('tick');
    await events.return(undefined);
  });

  test('behind a proxy that strips a path, links lead to files and events through it, with and without a slash', async () => {
    const { url } = await launch({ open: true }, undefined, { platform });
    const proxy = await stripping('/shop', url);
    for (const page of [`${proxy}/shop/pools`, `${proxy}/shop/pools/`]) {
      const html = await (await fetch(page)).text();
      const links = [...html.matchAll(/(?:href|src)="([^"]+\.(?:css|js))"/g)].map(
        ([, link]) => new URL(link!, page),
      );
      expect(links.map(({ pathname }) => pathname)).toEqual(['/shop/pools/style.css', '/shop/pools/page.js']);
      for (const link of links) expect((await fetch(link)).status).toBe(200);
      const events = eventsOf(await fetch(new URL('events', links[1])));
      expect((await next(events)).event).toBe('full');
      expect((await next(events)).event).toBe('tick');
      await events.return(undefined);
    }
  });

  test('a guard of request scope is made for each request', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class RequestGuard implements CanActivate {
      constructor() {
        made++;
      }
      canActivate(): boolean {
        return made !== 2;
      }
    }
    const { url } = await launch({ guard: RequestGuard }, undefined, { platform });
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push((await fetch(`${url}/pools`)).status);
    expect(answers).toEqual([200, 403, 200]);
    const events = eventsOf(await fetch(`${url}/pools/events`));
    expect((await next(events)).event).toBe('full');
    await events.return(undefined);
  });

  test('a guard sees the user that something before it has put on the request', async () => {
    interface WithUser {
      headers: Record<string, string | undefined>;
      user?: { role: string };
    }
    @Injectable()
    class RoleGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        return context.switchToHttp().getRequest<WithUser>().user?.role === 'operator';
      }
    }
    const login = (request: WithUser): void => {
      if (request.headers['x-role']) request.user = { role: request.headers['x-role'] };
    };
    const { url } = await launch({ guard: RoleGuard }, undefined, {
      platform,
      prepare: app => {
        app.useGlobalGuards({
          canActivate: context => {
            login(context.switchToHttp().getRequest<WithUser>());
            return true;
          },
        });
      },
    });
    const status = async (role?: string): Promise<number> =>
      (await fetch(`${url}/pools`, { headers: role === undefined ? {} : { 'x-role': role } })).status;
    expect([await status(), await status('clerk'), await status('operator')]).toEqual([403, 403, 200]);
  });

  test('whoever has stopped reading costs a bounded amount of memory, and the others are told all the same', async () => {
    const pools = Array.from({ length: 50 }, (_, i) => things(`pool-${i}`, { max: 1 }));
    const { url, app } = await launch({ open: true }, pools, { platform });
    const server = app.getHttpServer() as Server;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const stalled = connect(Number(new URL(url).port), '127.0.0.1');
    ends.push(() => stalled.destroy());
    stalled.pause();
    stalled.write('GET /pools/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [socket] = await accepted;
    const feed = app.get(DashboardFeed);
    await until(
      () => feed.viewing,
      count => count === 1,
    );
    // What the kernel would take for it is of no interest here, and is a few megabytes.
    socket.cork();
    const events = eventsOf(await fetch(`${url}/pools/events`));
    let largest = 0;
    for (let i = 0; i < 5; i++) largest = Math.max(largest, (await next(events)).data.length);
    expect(socket.writableLength).toBeLessThan(2 * largest);
    const before = socket.writableLength;
    for (let i = 0; i < 3; i++) await next(events);
    expect(socket.writableLength).toBe(before);
    await events.return(undefined);
  });
});

test('it is served by a testing module on Fastify, without a port', async () => {
  const module = await Test.createTestingModule({
    imports: [PoolModule.forRoot({ pools: [things('things')] }), PoolDashboardModule.forRoot({ open: true })],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  ends.push(() => (app as INestApplication).close());
  await app.init();
  const { statusCode, body } = await app.inject('/pools');
  expect(statusCode).toBe(200);
  expect(body).toContain('./pools/page.js');
  expect((await app.inject('/pools/page.js')).statusCode).toBe(200);
});

test('the policy of the page is its own, stricter than what helmet has put there before', async () => {
  const { url } = await launch({ open: true }, undefined, { prepare: app => app.use(helmet()) });
  for (const path of ['', '/page.js']) {
    const policy = (await fetch(`${url}/pools${path}`)).headers.get('content-security-policy');
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).not.toContain('unsafe-inline');
  }
});

/** A reverse proxy that has an application below a path which that knows nothing of. */
async function stripping(path: string, url: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url?.startsWith(`${path}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, headers } = incoming;
    const onward = ask(new URL(incoming.url.slice(path.length), url), { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  ends.push(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
