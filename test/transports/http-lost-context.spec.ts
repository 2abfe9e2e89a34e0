import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Post } from '@nestjs/common';
import multer from 'multer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Borrow, PoolModule, PoolRegistry } from '../../src/index.js';
import { assertNoLeases } from '../../src/testing/index.js';
import { PLATFORMS, forgetLoggers, serve, type Platform, type RunningApp } from '../support/nest-app.js';

@Controller()
class ItemsController {
  @Get() find(@Borrow('items') item: unknown): unknown {
    return item;
  }
  @Post() create(@Borrow('items') item: object, @Body() body: unknown): unknown {
    return { ...item, body };
  }
}

type Next = (error?: unknown) => void;
type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

const start = (platform: Platform, middleware: Middleware, bodyParser = true): Promise<RunningApp> =>
  serve(
    platform,
    {
      imports: [PoolModule.forRoot({ pools: [{ name: 'items', max: 1, create: () => ({ id: 1 }) }] })],
      controllers: [ItemsController],
    },
    app => app.use(middleware),
    { bodyParser },
  );

describe.each(PLATFORMS)('a request on %s whose context is lost on the way', platform => {
  it('is found by itself, and holds what it borrows as any other', async () => {
    const outside = new EventEmitter();
    const ticking = setInterval(() => outside.emit('tick'), 1);
    const { app, url } = await start(platform, (_request, _response, next) => outside.once('tick', next));
    try {
      for (let n = 0; n < 3; n++) expect(await (await fetch(url)).json()).toEqual({ id: 1 });
      await assertNoLeases(app);
      expect(app.get(PoolRegistry).get('items').stats().totals.acquired).toBe(3);
    } finally {
      clearInterval(ticking);
      await app.close();
      forgetLoggers();
    }
  });
});

describe('a request on express whose body is read by middleware', () => {
  const rawBody: Middleware = (request, _response, next) => {
    let body = '';
    request.on('data', chunk => (body += String(chunk)));
    request.on('end', () => {
      Object.assign(request, { body: { length: body.length } });
      next();
    });
  };
  const form = (): FormData => {
    const data = new FormData();
    data.set('file', new Blob(['x'.repeat(200_000)]), 'a.txt');
    return data;
  };

  it.each([
    ['a raw body', rawBody, 'x'.repeat(200_000), { id: 1, body: { length: 200_000 } }],
    ['multer', multer().any() as unknown as Middleware, form(), { id: 1, body: {} }],
  ])('borrows behind it (%s)', async (_, middleware, body, answer) => {
    const { app, url } = await start('express', middleware, false);
    try {
      const response = await fetch(url, { method: 'POST', body });
      expect([response.status, await response.json()]).toEqual([201, answer]);
      await assertNoLeases(app);
    } finally {
      await app.close();
      forgetLoggers();
    }
  });
});
