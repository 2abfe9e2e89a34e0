import fastifyCompress from '@fastify/compress';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, StreamableFile, type INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import compression from 'compression';
import helmet from 'helmet';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Borrow, BorrowScopeEndedError, NoBorrowScopeError } from '../../src/index.js';
import { itLendsAsAlways } from '../support/borrowing/as-always.js';
import { mixedRig } from '../support/borrowing/mixed.js';
import { Facade } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { failureOf } from '../support/follow.js';
import { Call, get } from '../support/http-client.js';
import { Stage } from '../support/stage.js';

@Controller('zip')
class ZipController {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  @Get('value')
  async value(@Borrow('things') thing: Thing): Promise<object> {
    return { same: (await this.facade.get()) === thing, padding: 'x'.repeat(100_000) };
  }

  /** Does not get any smaller, so that its reader has something to be slow with. */
  @Get('big')
  async big(@Borrow('things') thing: Thing): Promise<object> {
    return { id: thing.id, padding: randomBytes(8_000_000).toString('base64') };
  }

  @Get('stream')
  async stream(@Borrow('things') thing: Thing): Promise<StreamableFile> {
    const { stage } = this;
    const rows = async function* () {
      for (let i = 0; i < 100; i++) yield `${thing.use()} ${'x'.repeat(1000)}\n`;
      await stage.pass('source');
      yield `end ${thing.use()}\n`;
    };
    return new StreamableFile(Readable.from(rows()), { type: 'text/plain' });
  }
}

const zipped = (url: string): Call => new Call(url, { headers: { 'accept-encoding': 'gzip' } });

const compressing = {
  express: (app: INestApplication) => app.use(helmet()).use(compression()),
  fastify: async (app: INestApplication) => {
    app.use(helmet());
    await (app as NestFastifyApplication).register(fastifyCompress);
  },
};

describe.each(['express', 'fastify'] as const)('beside compression and helmet on %s, a pool', platform => {
  const rig = mixedRig(platform, () => ({ controllers: [ZipController], prepare: compressing[platform] }));

  itLendsAsAlways(rig, platform);

  it('has back what a compressed value has borrowed when it has been sent', async () => {
    const response = await zipped(`${rig.url()}/zip/value`).response;
    expect(response.headers).toMatchObject({ 'content-encoding': 'gzip', 'x-frame-options': 'SAMEORIGIN' });
    response.resume();
    await rig.allBack();
  });

  it('lends until the source of a compressed stream has closed', async () => {
    const response = await zipped(`${rig.url()}/zip/stream`).response;
    response.resume();
    await rig.stage.reached('source');
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(rig.leased()).toBe(1);
    rig.stage.open('source');
    await rig.allBack();
  });

  it('has back what a compressed stream has borrowed when its client leaves half-way', async () => {
    const call = zipped(`${rig.url()}/zip/stream`);
    await call.response;
    await rig.stage.reached('source');
    call.leave();
    rig.stage.open('source');
    await rig.allBack();
  });

  const slow = platform === 'express' ? 'does not wait for' : 'waits for';
  it(`${slow} a slow reader of a compressed value`, async () => {
    const call = zipped(`${rig.url()}/zip/big`);
    const response = await call.response;
    if (platform === 'express') {
      await rig.allBack();
      expect(response.complete).toBe(false);
    } else {
      // The compressed body is a stream, which has not ended.
      expect(rig.leased()).toBe(1);
      response.resume();
      await rig.allBack();
    }
    call.leave();
  });

  it('has back what a compressed value has borrowed, as good as it was, when its client leaves half-way', async () => {
    const call = zipped(`${rig.url()}/zip/big`);
    await call.response;
    call.leave();
    await rig.clientsGone();
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });
});

describe('hooks of Fastify', () => {
  const rig = mixedRig('fastify', () => ({
    prepare: (app: INestApplication) => {
      const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance();
      const facade = app.get(Facade);
      const stage = app.get(Stage);
      fastify.addHook('onRequest', async request => {
        Object.assign(request, { hook: await facade.get() });
      });
      fastify.addHook('onSend', async (request, reply) => {
        const thing = await facade.get();
        await stage.pass('onSend');
        void reply.header('x-same', String((request as { hook?: Thing }).hook === thing && thing.use() > 0));
      });
      fastify.addHook('onResponse', async () => {
        late = await failureOf(facade.get());
        stage.note('onResponse');
      });
    },
  }));
  let late: unknown;
  afterEach(() => (late = undefined));

  it('have what the request has borrowed up to onSend, and nothing in onResponse', async () => {
    const { stage } = rig;
    stage.open('handler');
    const answer = get(`${rig.url()}/deep/json`);
    await stage.reached('onSend');
    expect(rig.leased()).toBe(1);
    stage.open('onSend');
    expect(await answer).toMatchObject({ body: '{"id":1}', headers: { 'x-same': 'true' } });
    await stage.reached('onResponse');
    expect(late instanceof BorrowScopeEndedError || late instanceof NoBorrowScopeError).toBe(true);
    expect(rig.pool.stats().totals.acquired).toBe(1);
  });
});
