import { beforeEach, describe, expect, it } from '@jest/globals';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import { bodyControllers, streamed } from '../support/borrowing/bodies.js';
import { byHandControllers } from '../support/borrowing/by-hand.js';
import { eventControllers } from '../support/borrowing/events.js';
import { LATE_ANSWERS, lateAnswers } from '../support/borrowing/late-answers.js';
import { borrowingRig, nextTurn, type Exchange } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { sharingControllers, sharingProviders } from '../support/borrowing/sharing.js';
import { CHUNK, CHUNKS } from '../support/borrowing/sources.js';
import { valueControllers } from '../support/borrowing/values.js';
import { workingOn } from '../support/borrowing/working-on.js';
import { Http2Client } from '../support/http2-client.js';

describe('HTTP/2 on Fastify, many requests on one connection', () => {
  const rig = borrowingRig(() => new FastifyAdapter({ http2: true } as object), {
    controllers: [
      ...valueControllers,
      ...bodyControllers,
      ...byHandControllers,
      ...eventControllers,
      ...sharingControllers,
    ],
    providers: sharingProviders,
  });
  let client: Http2Client;

  beforeEach(async () => {
    client = rig.with(await Http2Client.connect(rig.url()));
  });

  /** The server has noticed that the client has reset the request. */
  const gone = async ({ response }: Exchange): Promise<void> => {
    await once(response, 'close');
    await nextTurn();
  };

  describe.each(WAYS)('borrowed at %s', way => {
    it('has its resource until the reply is handed over', async () => {
      const handedOver = rig.handedOver();
      const call = client.call(`/${way}/json`);
      await rig.stage.reached('handler');
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await handedOver).toEqual({ before: 1, after: 0 });
      expect(await call.status).toBe(200);
      expect(await call.body()).toBe('{"id":1}');
    });

    it('leaves the resource to a handler whose request was reset until it has settled', async () => {
      const exchange = rig.nextExchange();
      const call = client.call(`/${way}/json`);
      await rig.stage.reached('handler');
      call.leave();
      await gone(await exchange);
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      await rig.allBack();
    });

    it('leaves it to an interceptor after the handler also when the request was reset meanwhile', async () => {
      const exchange = rig.nextExchange();
      const call = client.call(`/${way}/commit`);
      await rig.stage.reached('handler');
      call.leave();
      await gone(await exchange);
      rig.stage.open('handler');
      await rig.stage.reached('commit');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('commit');
      await rig.allBack();
    });

    it('leaves it to an exception filter also when the request was reset meanwhile', async () => {
      const exchange = rig.nextExchange();
      const call = client.call(`/${way}/filtered`);
      rig.stage.open('handler');
      await rig.stage.reached('filter');
      call.leave();
      await gone(await exchange);
      expect(rig.leased()).toBe(1);
      rig.stage.open('filter');
      await rig.allBack();
    });

    it('leaves the queue at once when it is reset, and the other requests of its connection alone', async () => {
      const first = client.call(`/${way}/json`);
      await rig.stage.reached('handler');
      const second = client.call(`/${way}/json`);
      await rig.waitingAre(1);
      second.leave();
      await rig.waitingAre(0);
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      expect(await first.body()).toBe('{"id":1}');
      expect(rig.pool.stats().totals.aborted).toBe(1);
      expect(rig.loggedErrors).toEqual([]);
    });

    it.each(streamed('fastify'))('has its resource until the source of a %s has closed', async kind => {
      const body = client.call(`/${way}/${kind}`).body();
      await rig.stage.reached('source');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('source');
      await rig.stage.reached('closed');
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect(await body).toHaveLength(CHUNK * CHUNKS);
    });

    it.each(streamed('fastify'))(
      'has its resource until the source of a %s has closed that was reset half-way',
      async kind => {
        const exchange = rig.nextExchange();
        const call = client.call(`/${way}/${kind}`);
        await call.firstBytes();
        call.leave();
        await gone(await exchange);
        await rig.stage.reached('source');
        expect(rig.leased()).toBe(1);
        rig.stage.open('source');
        await rig.stage.reached('closed');
        await nextTurn();
        expect(rig.leased()).toBe(0);
      },
    );

    it('has its resource until an answer by hand has finished', async () => {
      const exchange = rig.nextExchange();
      const body = client.call(`/${way}/sent-by-hand`).body();
      await rig.stage.reached('by-hand');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('by-hand');
      expect(await (await exchange).finished).toEqual({ before: 1, after: 0 });
      expect(await body).toBe('{"id":1}');
    });

    it('has its resource destroyed when an answer by hand that never ends is reset', async () => {
      const exchange = rig.nextExchange();
      const call = client.call(`/${way}/never`);
      await rig.stage.reached('left alone');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      call.leave();
      await gone(await exchange);
      expect(rig.leased()).toBe(1);
      await rig.allBack();
      expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
    });

    it('has its resource until an Observable that was reset has been torn down', async () => {
      const call = client.call(`/${way}/observable`);
      await rig.stage.reached('running');
      expect(rig.leased()).toBe(1);
      call.leave();
      await rig.stage.reached('unsubscribed');
      await rig.allBack();
    });

    it('has its resource until server-sent events are complete', async () => {
      rig.stage.open('setup');
      const body = client.call(`/${way}/sse`).body();
      await rig.stage.reached('subscribed');
      await nextTurn();
      expect(rig.leased()).toBe(1);
      rig.stage.open('complete');
      expect(await body).toContain('data: 1');
      await rig.allBack();
    });

    it('has its resource until server-sent events have been reset, and their teardown has run', async () => {
      rig.stage.open('setup');
      const call = client.call(`/${way}/sse`);
      await call.firstBytes();
      await rig.stage.reached('subscribed');
      expect(rig.leased()).toBe(1);
      call.leave();
      await rig.stage.reached('unsubscribed');
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('has its resource while server-sent events are set up for a request that was reset', async () => {
      const exchange = rig.nextExchange();
      const call = client.call(`/${way}/sse`);
      await rig.stage.reached('setup');
      call.leave();
      await gone(await exchange);
      expect(rig.leased()).toBe(1);
      rig.stage.open('setup');
      await nextTurn();
      expect(rig.leased()).toBe(0);
    });

    it('gives its resources back when the whole connection is lost, as soon as nobody needs them', async () => {
      const exchange = rig.nextExchange();
      client.call(`/${way}/json`);
      await rig.stage.reached('handler');
      client.call(`/${way}/json`);
      await rig.waitingAre(1);
      client.lose();
      await gone(await exchange);
      await rig.waitingAre(0);
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      await rig.allBack();
    });
  });
});

describe('HTTP/2 on Fastify, where no doubt has any time', () => {
  const rig = borrowingRig(() => new FastifyAdapter({ http2: true } as object), {
    controllers: [...lateAnswers.controllers, ...workingOn.controllers],
    imports: workingOn.imports,
    providers: workingOn.providers,
    abandonedTimeout: 0,
  });

  const leaveAtWork = async (path: string): Promise<void> => {
    const client = rig.with(await Http2Client.connect(rig.url()));
    const exchange = rig.nextExchange();
    const call = client.call(`/${path}`);
    await rig.stage.reached('work');
    call.leave();
    await once((await exchange).response, 'close');
    await nextTurn();
  };

  it.each(LATE_ANSWERS)(
    'costs no resource when the answer is made for a request that was reset (%s)',
    async kind => {
      await leaveAtWork(`late/${kind}`);
      expect(rig.leased()).toBe(1);
      rig.stage.openAll();
      const lease = await rig.pool.acquire();
      expect(lease.resource.id).toBe(1);
      lease.release();
      expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
    },
  );

  it.each(['transaction/completed', 'transaction/later', 'transaction/failed', 'transaction/emitted'])(
    'has it destroyed when an interceptor may still use it for what an Observable has emitted (%s)',
    async path => {
      await leaveAtWork(path);
      const lease = await rig.pool.acquire();
      expect(lease.resource.id).toBe(2);
      lease.release();
      expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
    },
  );

  it.each(['transaction/value', 'transaction/promise', 'guard', 'handler'])(
    'belongs to what is at work until that is over (%s)',
    async path => {
      await leaveAtWork(path);
      expect(rig.leased()).toBe(1);
      rig.stage.open('work');
      const lease = await rig.pool.acquire();
      expect(lease.resource.id).toBe(1);
      lease.release();
      expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
    },
  );
});
