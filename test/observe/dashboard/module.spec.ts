import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  VersioningType,
  type CanActivate,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { hostname } from 'node:os';
import { map } from 'rxjs';
import {
  PoolDashboardModule,
  PoolDashboardController,
  type PoolDashboardOptions,
} from '../../../src/dashboard/index.js';
import type { Pool } from '../../../src/engine/index.js';
import { getBorrowedToken } from '../../../src/module/tokens.js';
import type { Borrowed } from '../../../src/scope/index.js';
import { PLATFORMS, forgetLoggers } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { WordGuard, eventsOf, next, serveDashboard, things, type DashboardApp } from './world.js';

const running: DashboardApp[] = [];
const launch: typeof serveDashboard = async (...all) => {
  const app = await serveDashboard(...all);
  running.push(app);
  return app;
};

afterEach(async () => {
  for (const { app } of running.splice(0)) await app.close();
  forgetLoggers();
});

const SESAME = { 'x-word': 'sesame' };

describe('the dashboard is closed by default', () => {
  test('without a guard and without open the application is refused, and told what to write', () => {
    expect(() => PoolDashboardModule.forRoot()).toThrow(
      /nobody has said who may see.*guard: YourGuard.*open: true/s,
    );
    expect(() => PoolDashboardModule.forRoot({ open: false })).toThrow(/nobody has said who may see/);
  });

  test('also where it is known only when the application starts', async () => {
    const dashboard = PoolDashboardModule.forRootAsync({ useFactory: () => ({ open: false }) });
    await expect(Test.createTestingModule({ imports: [dashboard] }).compile()).rejects.toThrow(
      /nobody has said who may see/,
    );
  });

  test('actions are refused without a guard, open or not', () => {
    expect(() => PoolDashboardModule.forRoot({ open: true, actions: true })).toThrow(/actions need a guard/);
    expect(() => PoolDashboardModule.forRoot({ actions: true })).toThrow(/actions need a guard/);
  });

  test.each([
    [{ pth: 'x' }, /there is no option pth; there are path, guard/],
    [{ open: 'yes' }, /open is "yes"; it must be true or false/],
    [{ path: '' }, /path is ""; it must be segments/],
    [{ path: 'a/:b' }, /path is "a\/:b"; it must be segments/],
    [{ guard: [] }, /guard is an array; it must be a class/],
    [{ guard: 'admin' }, /guard is "admin"; it must be a class/],
    [{ open: true, history: 5 }, /history is 5; it must be milliseconds/],
    [{ open: true, title: '' }, /title is ""; it must be a text/],
    [{ open: true, decorators: [1] }, /decorators is an array; it must be an array of class decorators/],
  ])('%j is refused with what is allowed', (options, message) => {
    expect(() => PoolDashboardModule.forRoot(options as PoolDashboardOptions)).toThrow(message);
  });
});

describe.each(PLATFORMS)('on %s', platform => {
  test.each(['', '/', '/page.js', '/events', '/nothing'])('the guard is asked for pools%s', async path => {
    const { url } = await launch({ guard: WordGuard }, undefined, { platform });
    expect((await fetch(`${url}/pools${path}`)).status).toBe(403);
    const told = await fetch(`${url}/pools${path}`, { headers: SESAME });
    expect(told.status).toBe(path === '/nothing' ? 404 : 200);
    expect(told.headers.get('cache-control')).toMatch(/^no-store/);
    await told.body?.cancel();
  });

  test('the host and the process are told to whom the guard lets in, and to nobody else', async () => {
    const { url } = await launch({ guard: WordGuard }, undefined, { platform });
    const events = eventsOf(await fetch(`${url}/pools/events`, { headers: SESAME }));
    expect((await next(events)).json).toMatchObject({ process: `${hostname()}, pid ${process.pid}` });
    await events.return(undefined);
    for (const path of ['', '/page.js', '/events', '/nothing']) {
      const refused = await fetch(`${url}/pools${path}`);
      const told = JSON.stringify([...refused.headers]) + (await refused.text());
      expect(told).not.toContain(hostname());
      expect(told).not.toContain(`pid ${process.pid}`);
    }
  });

  test('and for actions', async () => {
    const { url } = await launch({ guard: WordGuard, actions: true }, undefined, { platform });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${url}/pools/actions`, { method: 'POST', headers, body: '{}' })).status).toBe(403);
  });

  test('a guard has what it needs by injection, from the modules that are imported for it', async () => {
    @Injectable()
    class Secrets {
      readonly word: string = 'sesame';
    }
    @Module({ providers: [Secrets], exports: [Secrets] })
    class SecretsModule {}
    @Injectable()
    class SecretGuard implements CanActivate {
      constructor(private readonly secrets: Secrets) {}
      canActivate(): boolean {
        return this.secrets.word === 'sesame';
      }
    }
    const { url } = await launch({ guard: [SecretGuard], imports: [SecretsModule] }, undefined, { platform });
    expect((await fetch(`${url}/pools`)).status).toBe(200);
  });

  test('links of the page lead to its files, with and without a slash at its end, below a prefix and a longer path', async () => {
    const { url } = await launch({ open: true, path: '/ops/live' }, undefined, {
      platform,
      prepare: app => {
        app.setGlobalPrefix('api/v1');
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' });
      },
    });
    for (const page of [
      `${url}/api/v1/ops/live`,
      `${url}/api/v1/ops/live/`,
      `${url}/api/v1/ops/live/?x=/y`,
    ]) {
      const html = await (await fetch(page)).text();
      const links = [...html.matchAll(/(?:href|src)="([^"]+\.(?:css|js))"/g)].map(
        ([, link]) => new URL(link!, page),
      );
      expect(links).toHaveLength(2);
      for (const link of links) expect((await fetch(link)).status).toBe(200);
    }
  });

  test('a page that is opened is told the past at once, and then each second', async () => {
    const { url, pool } = await launch({ open: true }, undefined, { platform });
    pool('things').tryAcquire()?.release();
    const response = await fetch(`${url}/pools/events`);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    const events = eventsOf(response);
    const full = await next(events);
    expect(full).toMatchObject({ event: 'full', json: { pools: [{ name: 'things', keyed: false }] } });
    const tick = await next(events);
    expect(tick.event).toBe('tick');
    expect(tick.json.pools[0]?.sample).toHaveLength(full.json.fields.length);
    await events.return(undefined);
  });

  test('an open page does not keep the application from closing, and is told', async () => {
    const { url, app } = await launch({ open: true }, undefined, { platform });
    const events = eventsOf(await fetch(`${url}/pools/events`));
    await events.next();
    const last = (async () => {
      let event = '';
      for await (const each of events) event = each.event;
      return event;
    })();
    const since = performance.now();
    await app.close();
    running.length = 0;
    expect(await last).toBe('bye');
    expect(performance.now() - since).toBeLessThan(3_000);
  });

  test('what a guard borrows goes back while the page is open', async () => {
    @Injectable()
    class BorrowingGuard implements CanActivate {
      constructor(@Inject(getBorrowedToken('things')) private readonly thing: Borrowed<object>) {}
      async canActivate(): Promise<boolean> {
        await this.thing.get();
        return true;
      }
    }
    const { url, pool } = await launch({ guard: BorrowingGuard }, undefined, { platform });
    const events = eventsOf(await fetch(`${url}/pools/events`));
    await events.next();
    await until(
      () => pool('things').stats(),
      ({ leased, totals }) => leased === 0 && totals.acquired === 1,
      2_000,
    );
    await events.return(undefined);
  });

  test('interceptors and filters of the application change nothing of it', async () => {
    const { url } = await launch({ open: true }, undefined, {
      platform,
      prepare: app =>
        app.useGlobalInterceptors({
          intercept: (_, next) => next.handle().pipe(map((data: unknown) => ({ data }))),
        }),
    });
    expect(await (await fetch(`${url}/pools`)).text()).toMatch(/^<!doctype html>/);
    const events = eventsOf(await fetch(`${url}/pools/events`));
    expect((await next(events)).event).toBe('full');
    await events.return(undefined);
  });
});

test('routes below the path of the page that are the application’s own are reached where its module comes first', async () => {
  @Controller('pools')
  class Other {
    @Get('mine')
    mine(): string {
      return 'mine';
    }
  }
  const { url } = await launch({ open: true, path: 'ops/pools' }, undefined, {
    metadata: { controllers: [Other] },
  });
  expect(await (await fetch(`${url}/pools/mine`)).text()).toBe('mine');
});

test('decorators are put on the controller, which guards know by its class, and Swagger does not describe it', () => {
  const seen: unknown[] = [];
  const { controllers = [] } = PoolDashboardModule.forRoot({
    open: true,
    decorators: [target => void seen.push(target)],
  });
  expect(seen).toEqual(controllers);
  expect(controllers[0]!.prototype).toBeInstanceOf(PoolDashboardController);
  expect(Reflect.getMetadata('swagger/apiExcludeController', controllers[0]!)).toEqual([true]);
});

test('another site cannot read the events with the cookies of somebody else', async () => {
  const { url } = await launch({ open: true });
  const headers = { 'sec-fetch-site': 'cross-site' };
  expect((await fetch(`${url}/pools/events`, { headers })).status).toBe(403);
});

describe('of what happens', () => {
  test('a second tells a bounded number, of many pools too, and timeouts only as a sum', async () => {
    const pools = Array.from({ length: 50 }, (_, i) => things(`pool-${i}`, { max: 1 }));
    const { url, registry } = await launch({ open: true }, pools);
    const events = eventsOf(await fetch(`${url}/pools/events`));
    await events.next();
    await events.next();
    const all = registry.list() as Pool<object>[];
    for (const pool of all) {
      for (let i = 0; i < 40; i++) {
        const lease = await pool.acquire();
        lease.destroy();
      }
      await pool.acquire();
      for (let i = 0; i < 20; i++) void pool.acquire({ timeout: 1 }).catch(() => undefined);
    }
    const told: string[] = [];
    while (!told.some(text => text.includes('timed out'))) {
      const { data, json } = await next(events);
      expect(data.length).toBeLessThan(300_000);
      for (const { events: happened = [] } of json.pools) {
        expect(happened.length).toBeLessThanOrEqual(12);
        told.push(...happened.map(({ text }) => text));
      }
    }
    expect(told).toContainEqual(expect.stringMatching(/^and \d+ more within a second$/));
    expect(told).toContainEqual(expect.stringMatching(/^Acquires within a second: \d+ timed out$/));
    await events.return(undefined);
  });

  test('an error that failed a create is told by class and code, never by what it says', async () => {
    const secret = Object.assign(new Error('password=hunter2'), {
      name: '<img src=x>',
      code: 'ECONNREFUSED',
    });
    const { url, pool } = await launch({ open: true }, [
      things('things', { create: () => Promise.reject(secret) }),
    ]);
    await pool('things')
      .acquire({ timeout: 50 })
      .catch(() => undefined);
    const events = eventsOf(await fetch(`${url}/pools/events`));
    let text = '';
    while (!text.includes('could not be made')) text += (await next(events)).data;
    expect(text).toContain('Error ECONNREFUSED');
    expect(text).not.toMatch(/hunter2|<img/);
    await events.return(undefined);
  });

  test('the process is not kept alive by it: its timer is no reason to stay', async () => {
    const { app } = await launch({ open: true });
    const timers = process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
    await app.close();
    running.length = 0;
    expect(process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length).toBeLessThanOrEqual(
      timers,
    );
  });
});

type Act = (body: unknown, headers?: object) => Promise<[number, { error?: string; done?: string }]>;

describe('an action', () => {
  let app: DashboardApp;
  let token: string | undefined;

  async function prepare(actions: boolean): Promise<void> {
    app = await serveDashboard({ guard: WordGuard, actions });
    const events = eventsOf(await fetch(`${app.url}/pools/events`, { headers: SESAME }));
    ({ token } = (await next(events)).json);
    await events.return(undefined);
  }

  const act: Act = async (body, headers = {}) => {
    const response = await fetch(`${app.url}/pools/actions`, {
      method: 'POST',
      headers: {
        ...SESAME,
        'content-type': 'application/json',
        origin: app.url,
        'x-pool-token': token ?? '',
        ...headers,
      },
      body: JSON.stringify(body),
    });
    return [response.status, (await response.json()) as Awaited<ReturnType<Act>>[1]];
  };

  beforeAll(() => prepare(true));
  afterAll(() => app.app.close());

  test('acts, and is logged with who has done it', async () => {
    const { pool, log } = app;
    expect(await act({ pool: 'things', action: 'resize', min: 1, max: 7 })).toEqual([
      200,
      { done: 'things: resized to min 1, max 7' },
    ]);
    expect(pool('things').stats()).toMatchObject({ min: 1, max: 7 });
    expect(log.lines.join('\n')).toMatch(
      /warn: Pool "things": resized to min 1, max 7 by Ada \(.*127\.0\.0\.1\)/,
    );
    await act({ pool: 'things', action: 'suspend' });
    expect(pool('things').stats().state).toBe('suspended');
    await act({ pool: 'things', action: 'resume' });
    expect(pool('things').stats().state).toBe('ready');
    expect((await act({ pool: 'things', action: 'recycle', spread: 1000 }))[0]).toBe(200);
  });

  test.each([
    ['without a token', { 'x-pool-token': '' }, 403],
    ['with a wrong token', { 'x-pool-token': '0'.repeat(64) }, 403],
    ['from another origin', { origin: 'https://evil.example' }, 403],
    ['from no origin', { origin: 'null' }, 403],
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['from a neighbouring site', { 'sec-fetch-site': 'same-site' }, 403],
    ['as a form', { 'content-type': 'text/plain' }, 415],
  ])('is refused %s', async (_, headers, status) => {
    const { pool } = app;
    expect((await act({ pool: 'things', action: 'suspend' }, headers))[0]).toBe(status);
    expect(pool('things').stats().state).toBe('ready');
  });

  test.each([
    [{ pool: 'things', action: 'destroy' }, 400, /action must be one of suspend, resume, recycle, resize/],
    [{ pool: 'things', action: 'constructor' }, 400, /action must be one of/],
    [{ pool: 7, action: 'suspend' }, 400, /pool must be the name/],
    [{ pool: 'others', action: 'suspend' }, 404, /no pool of this name/],
    [{ pool: 'things', action: 'resize' }, 400, /needs min, max, or both/],
    [{ pool: 'things', action: 'resize', max: '9' }, 400, /max must be a whole number/],
    [{ pool: 'things', action: 'resize', min: 9, max: 2 }, 400, /min/],
    [{ pool: 'things', action: 'recycle', spread: -1 }, 400, /spread must be a whole number/],
    [[], 400, /action must be one of/],
  ])('%j is refused, and says why', async (body, status, message) => {
    const [answered, { error }] = await act(body);
    expect(answered).toBe(status);
    expect(error).toMatch(message);
  });

  test('is not there unless it was asked for', async () => {
    await app.app.close();
    await prepare(false);
    expect(token).toBeUndefined();
    expect((await act({ pool: 'things', action: 'suspend' }))[0]).toBe(404);
  });
});
