import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Borrowed, InjectBorrowed, PoolModule, PoolRegistry } from '../../src/index.js';
import { Thing, borrowingApp, type BorrowingApp } from '../support/borrowing-app.js';
import { Call, get } from '../support/http-client.js';
import { NEST_MAJOR } from '../support/nest-major.js';
import { PLATFORMS, forgetLoggers, serve } from '../support/nest-app.js';
import { until } from '../support/until.js';

@Controller()
class LoneController {
  constructor(@InjectBorrowed('things') private readonly things: Borrowed<object>) {}

  @Get()
  find(): Promise<object> {
    return this.things.get();
  }
}

const STREAMED_BY_11 = { express: ['file'], fastify: ['file', 'readable', 'web-stream'] };

describe.each(PLATFORMS)('a borrowed resource on %s', platform => {
  /** Those of these bodies that this NestJS streams; what becomes of the others is in unread.spec.ts. */
  const streamed = (...kinds: string[]): string[] =>
    kinds.filter(kind => NEST_MAJOR >= 12 || STREAMED_BY_11[platform].includes(kind));

  let rig: BorrowingApp;

  const leased = (): number => rig.pool.stats().leased;
  const allBack = (): Promise<number> => until(leased, n => n === 0);

  beforeEach(async () => {
    Thing.reported.length = 0;
    Thing.lentTwice = Thing.usedTooLate = 0;
    rig = await borrowingApp(platform);
  });

  afterEach(async () => {
    rig.stage.openAll();
    await allBack();
    expect({ lentTwice: Thing.lentTwice, usedTooLate: Thing.usedTooLate }).toEqual({
      lentTwice: 0,
      usedTooLate: 0,
    });
    expect(rig.pool.stats()).toMatchObject({ leased: 0, waiting: 0, abandoned: 0 });
    await rig.app.close();
    forgetLoggers();
  });

  describe.each(['parameter', 'deep'])('borrowed at %s', way => {
    const url = (path: string): string => `${rig.url}/${way}/${path}`;

    it('is the handler’s while it runs, and back when its reply has been handed over', async () => {
      const call = new Call(url('json'));
      await rig.stage.reached('handler');
      expect(leased()).toBe(1);
      rig.stage.open('handler');
      expect(await call.answer()).toMatchObject({ status: 200, body: '{"id":1}' });
      expect(leased()).toBe(0);
    });

    it('does not wait for a slow reader', async () => {
      const call = new Call(url('big'));
      const response = await call.response;
      await allBack();
      expect(response.complete).toBe(false);
      call.leave();
    });

    it('stays with a handler whose client has left until it has settled', async () => {
      const call = new Call(url('json'));
      await rig.stage.reached('handler');
      const closed = socketClosed(rig);
      call.leave();
      await closed;
      expect(leased()).toBe(1);
      rig.stage.open('handler');
      await allBack();
    });

    it('is still there for an interceptor after the handler', async () => {
      const call = new Call(url('commit'));
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      expect(leased()).toBe(1);
      rig.stage.open('commit');
      expect((await call.answer()).body).toBe('{"committed":1,"value":1}');
      expect(leased()).toBe(0);
    });

    it('is still there for an interceptor after the handler when the client has left meanwhile', async () => {
      const call = new Call(url('commit'));
      await rig.stage.reached('handler');
      const closed = socketClosed(rig);
      call.leave();
      await closed;
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      expect(leased()).toBe(1);
      rig.stage.open('commit');
      await allBack();
      expect(rig.log.lines.filter(line => line.startsWith('error'))).toEqual([]);
    });

    it('is still there for an exception filter, and is shown the handler’s error', async () => {
      const call = new Call(url('throw'));
      rig.stage.open('handler');
      await rig.stage.reached('filter');
      expect(leased()).toBe(1);
      rig.stage.open('filter');
      expect((await call.answer()).body).toBe('{"filtered":"from the handler","thing":1}');
      await allBack();
      expect(Thing.reported).toEqual([expect.objectContaining({ message: 'from the handler' })]);
    });

    it.each(streamed('file', 'readable', 'generator', 'iterable', 'web-stream'))(
      'is held until the source of a %s has closed',
      async kind => {
        const call = new Call(url(kind));
        const answer = call.answer();
        await rig.stage.reached('source');
        expect(leased()).toBe(1);
        rig.stage.open('source');
        expect((await answer).body).toHaveLength(200 * 64 * 1024);
        await allBack();
      },
    );

    it.each(streamed('file', 'readable', 'generator', 'iterable', 'web-stream'))(
      'is held until the source of a %s has closed when the client leaves half-way',
      async kind => {
        const call = new Call(url(kind));
        await call.firstBytes();
        const closed = socketClosed(rig);
        call.leave();
        await closed;
        await rig.stage.reached('source');
        expect(leased()).toBe(1);
        rig.stage.open('source');
        await allBack();
      },
    );

    it.each(streamed('file', 'readable', 'generator'))(
      'is held while a slow reader has not read all of a %s',
      async kind => {
        const call = new Call(url(kind));
        await call.firstBytes();
        expect(leased()).toBe(1);
        rig.stage.open('source');
        call.leave();
        await allBack();
      },
    );

    it.each(streamed('file', 'readable', 'generator'))(
      'comes back from a HEAD request for a %s',
      async kind => {
        rig.stage.open('source');
        expect((await new Call(url(kind), { method: 'HEAD' }).answer()).status).toBe(200);
        await allBack();
      },
    );

    it.each(['by-hand', 'file', 'readable', 'generator', 'json', 'sse'])(
      'comes back from an answer (%s) whose client left before the handler borrowed',
      async kind => {
        const call = new Call(url(kind), { headers: { 'x-late': '1' } });
        await rig.stage.reached('not-yet');
        const closed = socketClosed(rig);
        call.leave();
        await closed;
        rig.stage.open('not-yet', 'by-hand', 'source', 'handler', 'setup');
        await until(
          () => rig.pool.stats().totals,
          totals => totals.acquired === 1 && totals.released === 1,
        );
      },
    );

    it('comes back from a generator that was never started', async () => {
      const call = new Call(url('late-generator'));
      await rig.stage.reached('handler');
      const closed = socketClosed(rig);
      call.leave();
      await closed;
      expect(leased()).toBe(1);
      rig.stage.open('handler');
      await allBack();
    });

    it('is held until an answer by hand with @Res() has finished', async () => {
      const call = new Call(url('by-hand'));
      await call.firstBytes();
      await rig.stage.reached('by-hand');
      expect(leased()).toBe(1);
      rig.stage.open('by-hand');
      await allBack();
    });

    it('is held while a slow reader has not read all of an answer by hand', async () => {
      const call = new Call(url('big-by-hand'));
      await call.firstBytes();
      expect(leased()).toBe(1);
      call.leave();
      await allBack();
    });

    it('comes back from an answer by hand whose client has left', async () => {
      const call = new Call(url('by-hand'));
      await call.firstBytes();
      call.leave();
      await allBack();
    });

    it('stays with a handler that an outer timeout() has given up, until it has really settled', async () => {
      const answer = await get(url('timeout'));
      expect(answer.status).toBe(500);
      expect(leased()).toBe(1);
      rig.stage.open('handler');
      await allBack();
    });

    it('is a subscriber’s until its server-sent events complete', async () => {
      rig.stage.open('setup');
      const call = new Call(url('sse'));
      await rig.stage.reached('subscribed');
      await call.response;
      expect(leased()).toBe(1);
      rig.stage.open('complete');
      await allBack();
    });

    it('is a subscriber’s until it leaves, and its teardown has run', async () => {
      rig.stage.open('setup');
      const call = new Call(url('sse'));
      expect(await call.firstBytes()).toContain('\n');
      await rig.stage.reached('subscribed');
      expect(leased()).toBe(1);
      call.leave();
      await rig.stage.reached('unsubscribed');
      await allBack();
    });

    it('stays with the set-up of server-sent events whose subscriber has left, until that has settled', async () => {
      const call = new Call(url('sse'));
      await rig.stage.reached('setup');
      const closed = socketClosed(rig);
      call.leave();
      await closed;
      expect(leased()).toBe(1);
      rig.stage.open('setup');
      await allBack();
    });

    it('is the same one for guards, the body’s handler and services', async () => {
      const answer = await new Call(url('post'), { method: 'POST', body: { n: 7 } }).answer();
      expect(answer).toMatchObject({ status: 201, body: '{"n":7,"id":1}' });
      expect(await get(url('twice'))).toMatchObject({ body: '{"same":true}' });
    });

    it('is shared also when the body arrives long after the head', async () => {
      const arrived = once(rig.app.getHttpServer() as Server, 'request').then(
        () => new Promise(resolve => setImmediate(resolve)),
      );
      const call = new Call(url('post'), { method: 'POST', body: { n: 7 }, bodyAfter: arrived });
      expect(await call.answer()).toMatchObject({ status: 201, body: '{"n":7,"id":1}' });
    });

    it('is shared with middleware', async () => {
      const answer = await new Call(url('post'), {
        method: 'POST',
        body: { n: 7 },
        headers: { 'x-middleware': '1' },
      }).answer();
      expect(answer).toMatchObject({ status: 201, body: '{"n":7,"id":1}' });
      expect(answer.headers['x-middleware']).toBe('1');
    });

    it('comes back when a guard refuses', async () => {
      const answer = await new Call(url('guarded'), { headers: { 'x-refuse': '1' } }).answer();
      expect(answer.status).toBe(500);
      await allBack();
    });

    it('cannot be had after the request is over', async () => {
      await get(url('unawaited'));
      rig.stage.open('afterwards');
      await rig.stage.reached('BorrowScopeEndedError');
    });

    it('leaves the queue at once with its client, who is neither answered nor logged', async () => {
      const first = new Call(url('json'));
      await rig.stage.reached('handler');
      const second = new Call(url('json'));
      await until(
        () => rig.pool.stats().waiting,
        n => n === 1,
      );
      second.leave();
      await until(
        () => rig.pool.stats().waiting,
        n => n === 0,
      );
      expect(leased()).toBe(1);
      rig.stage.open('handler');
      await first.answer();
      await allBack();
      expect(rig.pool.stats().totals.aborted).toBe(1);
      expect(rig.log.lines.filter(line => line.startsWith('error'))).toEqual([]);
    });

    it('is one for each of many requests, one after the other on a connection that is kept alive', async () => {
      rig.stage.open('handler');
      const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
      const path = `/${way}/json`;
      // Pipelined: all are sent before the first is answered.
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(5));
      let text = '';
      socket.setEncoding('utf8').on('data', chunk => (text += String(chunk)));
      await until(
        () => text,
        seen => seen.split('{"id":1}').length - 1 === 5,
        2000,
      );
      await allBack();
      socket.destroy();
      expect(rig.pool.stats().totals.acquired).toBe(5);
    });
  });

  it('costs a request that borrows nothing not even a listener on its response', async () => {
    const listensTo = async (path: string): Promise<boolean> => {
      const responding = once(rig.app.getHttpServer() as Server, 'request');
      await get(`${rig.url}/${path}`);
      const [, response] = (await responding) as [IncomingMessage, ServerResponse];
      return Object.hasOwn(response, 'end');
    };
    expect(await listensTo('plain')).toBe(false);
    rig.stage.open('handler');
    expect(await listensTo('deep/json')).toBe(true);
  });
});

it('is there for handlers on Fastify without middleware', async () => {
  const { app, url } = await serve(new FastifyAdapter({ skipMiddie: true }), {
    imports: [PoolModule.forRoot({ pools: [{ name: 'things', create: () => ({ id: 1 }) }] })],
    controllers: [LoneController],
  });
  expect((await get(url)).body).toBe('{"id":1}');
  await until(
    () => app.get(PoolRegistry).get('things').stats().leased,
    n => n === 0,
  );
  await app.close();
  forgetLoggers();
});

/** The server has noticed that the client of the request it is working on is gone. */
function socketClosed(rig: BorrowingApp): Promise<void> {
  const server = rig.app.getHttpServer() as Server;
  return until(
    () =>
      new Promise<number>((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error) reject(error);
          else resolve(count);
        });
      }),
    count => count === 0,
  ).then(() => new Promise(resolve => setImmediate(resolve)));
}
