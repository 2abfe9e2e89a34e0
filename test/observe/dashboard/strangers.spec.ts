import helmet from '@fastify/helmet';
import { describe, expect, test } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '../../support/throttler.js';
import { PLATFORMS } from '../../support/nest-app.js';
import { eventsOf, next, servedForATest } from './world.js';

const { launch } = servedForATest();

@Controller('orders')
class OrdersController {
  @Get()
  list(): string[] {
    return [];
  }
}

test('under @fastify/helmet the policy of the page is its own, that of all else is of helmet, and events flow', async () => {
  const { url } = await launch({ open: true }, undefined, {
    platform: 'fastify',
    metadata: { controllers: [OrdersController] },
    prepare: app => (app as NestFastifyApplication).register(helmet),
  });
  for (const path of ['', '/page.js', '/style.css']) {
    const { status, headers } = await fetch(`${url}/pools${path}`);
    expect(status).toBe(200);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
  }
  const other = await fetch(`${url}/orders`);
  expect(other.headers.get('content-security-policy')).toContain("default-src 'self'");
  const events = eventsOf(await fetch(`${url}/pools/events`));
  expect([(await next(events)).event, (await next(events)).event]).toEqual(['full', 'tick']);
  await events.return(undefined);
});

describe.each(PLATFORMS)('under a global guard of @nestjs/throttler, on %s', platform => {
  const throttled = {
    imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 2 }])],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    controllers: [OrdersController],
  };
  /** How often something is asked for, and how that is answered. */
  async function asked(url: string, paths: readonly string[]): Promise<number[]> {
    const answers = [];
    for (const path of paths) answers.push(await fetch(`${url}${path}`));
    for (const { body } of answers) await body?.cancel();
    return answers.map(({ status }) => status);
  }
  const twice = ['/pools', '/pools'];

  test('the page is counted as any route is', async () => {
    const { url } = await launch({ open: true }, undefined, { platform, metadata: throttled });
    expect(await asked(url, [...twice, '/pools'])).toEqual([200, 200, 429]);
  });

  test('with SkipThrottle() among its decorators nothing of it is, its events neither', async () => {
    const options = { open: true, decorators: [SkipThrottle()] };
    const { url } = await launch(options, undefined, { platform, metadata: throttled });
    const all = [...twice, '/pools/page.js', '/pools/page.js', '/pools/page.js'];
    const events = ['/pools/events', '/pools/events', '/pools/events'];
    expect(new Set(await asked(url, [...all, ...events]))).toEqual(new Set([200]));
    expect(await asked(url, ['/orders', '/orders', '/orders'])).toEqual([200, 200, 429]);
  });
});

test.each(PLATFORMS)(
  "the users' document of @nestjs/swagger says nothing of the page, on %s",
  async platform => {
    const { app } = await launch({ open: true, actions: false }, undefined, {
      platform,
      metadata: { controllers: [OrdersController] },
    });
    const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(Object.keys(paths)).toEqual(['/orders']);
  },
);
