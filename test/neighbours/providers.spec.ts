import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Injectable, Scope, StreamableFile } from '@nestjs/common';
import { ContextIdFactory, REQUEST, type ContextIdStrategy } from '@nestjs/core';
import { Readable } from 'node:stream';
import {
  Borrow,
  type Borrowed,
  InjectBorrowed,
  PoolModule,
  PoolRegistry,
  getBorrowedToken,
} from '../../src/index.js';
import { Call, type Answer } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { socketClosed } from '../support/socket-closed.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

interface Thing {
  readonly id: number;
}

const stage = new Stage();
let instances = 0;

@Injectable({ scope: Scope.REQUEST })
class PerRequest {
  readonly instance = ++instances;
  constructor(
    @Inject(REQUEST) readonly request: unknown,
    @InjectBorrowed('things') readonly things: Borrowed<Thing>,
  ) {}
}

@Injectable({ scope: Scope.TRANSIENT })
class PerUser {
  constructor(@InjectBorrowed('things') readonly things: Borrowed<Thing>) {}
}

@Injectable({ scope: Scope.REQUEST, durable: true })
class PerTenant {
  readonly instance = ++instances;
  constructor(@InjectBorrowed('things') readonly things: Borrowed<Thing>) {}
}

/** The resource itself, as a provider of the request. */
const THING = Symbol('thing');
const thingOfRequest = {
  provide: THING,
  scope: Scope.REQUEST,
  inject: [getBorrowedToken('things')],
  useFactory: (things: Borrowed<Thing>) => things.get(),
};

/** Request-scoped, by its dependencies. */
@Controller('request')
class RequestController {
  constructor(
    private readonly perRequest: PerRequest,
    private readonly perUser: PerUser,
    @Inject(THING) private readonly thing: Thing,
  ) {}

  private async all(given: Thing): Promise<boolean> {
    const [request, user] = [await this.perRequest.things.get(), await this.perUser.things.get()];
    return new Set([given, request, user, this.thing]).size === 1;
  }

  @Get('json')
  async json(@Borrow('things') thing: Thing): Promise<object> {
    await stage.pass('handler');
    return { id: thing.id, same: await this.all(thing), instance: this.perRequest.instance };
  }

  @Get('stream')
  async stream(@Borrow('things') thing: Thing): Promise<StreamableFile> {
    const same = await this.all(thing);
    return new StreamableFile(
      Readable.from(
        (async function* () {
          yield `${same}`;
          await stage.pass('source');
        })(),
      ),
    );
  }
}

@Controller('tenant')
class TenantController {
  constructor(private readonly perTenant: PerTenant) {}

  @Get()
  async find(@Borrow('things') thing: Thing): Promise<object> {
    await stage.pass('handler');
    const same = (await this.perTenant.things.get()) === thing;
    return { id: thing.id, same, instance: this.perTenant.instance };
  }
}

/** One tree of durable providers for each tenant. */
class ByTenant implements ContextIdStrategy {
  private readonly tenants = new Map<string, ReturnType<typeof ContextIdFactory.create>>();

  attach(
    contextId: ReturnType<typeof ContextIdFactory.create>,
    request: { headers: Record<string, string> },
  ) {
    const tenant = request.headers['x-tenant'] ?? '';
    const durable = this.tenants.get(tenant) ?? ContextIdFactory.create();
    this.tenants.set(tenant, durable);
    return (info: { isTreeDurable: boolean }) => (info.isTreeDurable ? durable : contextId);
  }
}

describe.each(PLATFORMS)('on %s, a borrowed resource', platform => {
  let running: RunningApp;

  const leased = (): number => running.app.get(PoolRegistry).get('things').stats().leased;
  const back = (n = 0): Promise<number> => until(leased, seen => seen === n);
  const call = (path: string, tenant = ''): Call =>
    new Call(`${running.url}/${path}`, { headers: { 'x-tenant': tenant } });
  const json = async (answer: Promise<Answer>): Promise<unknown> => JSON.parse((await answer).body);

  beforeEach(async () => {
    instances = 0;
    stage.reset();
    ContextIdFactory.apply(new ByTenant());
    let made = 0;
    running = await serve(platform, {
      imports: [PoolModule.forRoot({ pools: [{ name: 'things', max: 2, create: () => ({ id: ++made }) }] })],
      controllers: [RequestController, TenantController],
      providers: [PerRequest, PerUser, PerTenant, thingOfRequest],
    });
  });
  afterEach(async () => {
    stage.openAll();
    await back();
    await running.app.close();
    forgetLoggers();
  });

  it('is one for a request-scoped controller, its providers of every scope, and a provider that is the resource', async () => {
    const [first, second] = [call('request/json'), call('request/json')];
    await back(2);
    await stage.reached('handler');
    stage.open('handler');
    const answers = (await Promise.all([json(first.answer()), json(second.answer())])) as { id: number }[];
    answers.sort((a, b) => a.id - b.id);
    expect(answers).toMatchObject([
      { id: 1, same: true },
      { id: 2, same: true },
    ]);
    await back();
    expect(await json(call('request/json').answer())).toMatchObject({ same: true, instance: 3 });
  });

  it('is a request-scoped controller’s until its stream has closed', async () => {
    const answer = call('request/stream').answer();
    await stage.reached('source');
    expect(leased()).toBe(1);
    stage.open('source');
    expect((await answer).body).toBe('true');
    await back();
  });

  it('is a request-scoped controller’s until its handler has settled, though the client has left', async () => {
    const leaving = call('request/json');
    await stage.reached('handler');
    leaving.leave();
    await socketClosed(running);
    expect(leased()).toBe(1);
    stage.open('handler');
    await back();
  });

  it('is the request’s own for durable providers, which are their tenant’s', async () => {
    const [first, second] = [call('tenant', 'a'), call('tenant', 'a')];
    await back(2);
    stage.open('handler');
    const answers = (await Promise.all([json(first.answer()), json(second.answer())])) as { id: number }[];
    expect(answers.map(({ id }) => id).sort()).toEqual([1, 2]);
    expect(answers).toMatchObject([
      { same: true, instance: 1 },
      { same: true, instance: 1 },
    ]);
    await back();
    expect(await json(call('tenant', 'b').answer())).toMatchObject({ same: true, instance: 2 });
    await back();
  });
});
