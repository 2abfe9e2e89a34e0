import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Req, type DynamicModule, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  PoolModule,
  PoolRegistry,
  getBorrowedToken,
} from '../../src/index.js';
import { nextTurn } from '../support/borrowing/rig.js';
import { Call, get } from '../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { socketClosed } from '../support/socket-closed.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

interface Thing {
  readonly of: string;
}

const things = (of: string): DynamicModule =>
  PoolModule.forRoot({
    log: false,
    abandonedTimeout: 0,
    pools: [{ name: 'things', max: 1, create: () => ({ of }) }],
  });

const thingsOf = (app: INestApplication): Borrowed<Thing> => app.get(getBorrowedToken('things'));
const leased = (app: INestApplication): number => app.get(PoolRegistry).get('things').stats().leased;

describe('an application mounted in another, on Express', () => {
  const stage = new Stage();
  let inner: INestApplication;
  let outer: RunningApp;
  /** What the outer gives the inner to use in its handlers. */
  let lend: Borrowed<Thing>;

  @Controller()
  class Inner {
    constructor(@Inject(BorrowScopes) private readonly scopes: BorrowScopes) {}

    @Get('both') async both(@Borrow('things') mine: Thing): Promise<string[]> {
      return [mine.of, (await lend.get()).of];
    }
    @Get('slow') async slow(@Borrow('things') mine: Thing, @Req() request: IncomingMessage): Promise<string> {
      if (request.headers['x-lends'] !== undefined) await lend.get();
      await stage.pass('inner');
      return mine.of;
    }
    @Get('run') async run(): Promise<string> {
      return this.scopes.run(async () => (await thingsOf(inner).get()).of);
    }
  }

  @Controller('outside')
  class Outer {
    @Get() find(@Borrow('things') mine: Thing): string {
      return mine.of;
    }
  }

  beforeEach(async () => {
    stage.reset();
    const adapter = new ExpressAdapter();
    class InnerModule {}
    inner = await NestFactory.create(
      { module: InnerModule, imports: [things('inner')], controllers: [Inner] },
      adapter,
      { logger: false },
    );
    await inner.init();
    outer = await serve('express', { imports: [things('outer')], controllers: [Outer] }, app => {
      lend = thingsOf(app);
      app.use('/inner', (request: IncomingMessage, _: ServerResponse, next: () => void) => {
        if (request.headers['x-borrows'] === undefined) next();
        else
          void thingsOf(app)
            .get()
            .then(() => {
              next();
            });
      });
      app.use('/inner', adapter.getInstance());
    });
  });
  afterEach(async () => {
    stage.openAll();
    await outer.app.close();
    await inner.close();
    forgetLoggers();
  });

  it.each([
    ['inner/both', '["inner","outer"]'],
    ['inner/run', 'inner'],
    ['outside', 'outer'],
  ])('finds its own pool, and the other’s where it asks for that (%s)', async (path, body) => {
    for (let n = 0; n < 2; n++) expect((await get(`${outer.url}/${path}`)).body).toBe(body);
    expect([leased(inner), leased(outer.app)]).toEqual([0, 0]);
  });

  it.each(['x-borrows', 'x-lends'])(
    'holds what the outer has lent as well until its handler is done, also when the client has left (%s)',
    async header => {
      const call = new Call(`${outer.url}/inner/slow`, { headers: { [header]: 'yes' } });
      await stage.reached('inner');
      call.leave();
      await socketClosed(outer);
      await nextTurn();
      expect([leased(inner), leased(outer.app)]).toEqual([1, 1]);
      stage.open('inner');
      for (const app of [inner, outer.app]) {
        await until(
          () => leased(app),
          n => n === 0,
        );
        expect(app.get(PoolRegistry).get('things').stats().totals).toMatchObject({
          released: 1,
          destroyed: 0,
        });
      }
    },
  );
});
