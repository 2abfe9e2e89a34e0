import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { createObserveModule } from '@nestjs/observe';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  InjectPool,
  Pool,
  PoolModule,
  PoolRegistry,
  definePool,
} from '../../src/index.js';
import { itLendsAsAlways } from '../support/borrowing/as-always.js';
import { mixedRig } from '../support/borrowing/mixed.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve } from '../support/nest-app.js';
import { until } from '../support/until.js';

/** Where the agent reports to. */
class Collector {
  private readonly server: Server;
  reports = '';

  constructor() {
    this.server = createServer((request, response) => {
      void buffer(request).then(body => {
        this.reports += (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
        response.end('{}');
      });
    });
  }

  async open(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** One pool, defined once, that two modules import: the agent puts a proxy of its own around what each of them gets. */
const shared = definePool({ name: 'shared', max: 2, create: () => ({ open: true }) });

@Injectable()
class Here {
  constructor(@InjectBorrowed('shared') readonly borrowed: Borrowed<object>) {}
}
@Module({ imports: [PoolModule.forFeature([shared])], providers: [Here], exports: [Here] })
class HereModule {}

@Injectable()
class There {
  constructor(
    @InjectBorrowed('shared') readonly borrowed: Borrowed<object>,
    @InjectPool('shared') readonly pool: Pool<object>,
  ) {}
}
@Module({ imports: [PoolModule.forFeature([shared])], providers: [There], exports: [There] })
class ThereModule {}

@Controller('shared')
class SharedController {
  constructor(
    private readonly here: Here,
    private readonly there: There,
    private readonly scopes: BorrowScopes,
    private readonly registry: PoolRegistry,
  ) {}

  private async seen(thing?: object): Promise<object> {
    const here = await this.here.borrowed.get();
    const there = await this.there.borrowed.get();
    return {
      same: here === there && (thing ?? here) === here,
      leased: this.registry.get('shared').stats().leased,
      leasedThere: this.there.pool.stats().leased,
    };
  }

  @Get('handler')
  handler(@Borrow('shared') thing: object): Promise<object> {
    return this.seen(thing);
  }

  @Get('joined')
  joined(@Borrow('shared') thing: object): Promise<object> {
    return this.scopes.run(() => this.seen(thing));
  }

  @Get('own')
  own(@Borrow('shared') _thing: object): Promise<object> {
    return this.scopes.run(() => this.seen(), { own: true });
  }
}

describe.each(PLATFORMS)('beside @nestjs/observe on %s, a pool', platform => {
  const collector = new Collector();
  beforeAll(() => collector.open());
  afterAll(() => collector.close());

  const observed = () => {
    const { ObserveModule, ObserveInstrument } = createObserveModule();
    const options = {
      appKey: 'key',
      appSecret: 'secret',
      serviceId: 'test',
      endpoint: collector.url,
      flushInterval: 20,
      runtimeMetrics: false,
    };
    return { imports: [ObserveModule.forRoot(options)], application: { instrument: ObserveInstrument! } };
  };

  describe('of one thing', () => {
    const rig = mixedRig(platform, observed);

    itLendsAsAlways(rig, platform);

    it('is seen by the agent', async () => {
      rig.stage.open('handler');
      await get(`${rig.url()}/deep/json`);
      await until(
        () => collector.reports,
        seen => ['Values', 'Facade', 'Borrowed'].every(name => seen.includes(name)),
      );
    });
  });

  it('is one pool, and a request has one lease of it, however many modules import it', async () => {
    const { imports, application } = observed();
    const { app, url } = await serve(
      platform,
      {
        imports: [...imports, PoolModule.forRoot(), HereModule, ThereModule],
        controllers: [SharedController],
      },
      undefined,
      application,
    );
    const answer = async (path: string): Promise<unknown> =>
      JSON.parse((await get(`${url}/shared/${path}`)).body);
    expect(await answer('handler')).toEqual({ same: true, leased: 1, leasedThere: 1 });
    expect(await answer('joined')).toEqual({ same: true, leased: 1, leasedThere: 1 });
    expect(await answer('own')).toEqual({ same: true, leased: 2, leasedThere: 2 });
    const registry = app.get(PoolRegistry);
    await until(
      () => registry.get('shared').stats(),
      ({ leased }) => leased === 0,
    );
    await app.close();
    expect(registry.get('shared').stats()).toMatchObject({ state: 'closed', leased: 0 });
    forgetLoggers();
  });
});
