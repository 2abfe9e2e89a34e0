import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Sse } from '@nestjs/common';
import { ClsModule, ClsService, type ClsModuleOptions } from 'nestjs-cls';
import { Observable, from, mergeMap } from 'rxjs';
import { Borrow } from '../../src/index.js';
import { itLendsAsAlways } from '../support/borrowing/as-always.js';
import { mixedRig } from '../support/borrowing/mixed.js';
import { Facade } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { Call, get } from '../support/http-client.js';
import { PLATFORMS } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

@Injectable()
class Audit {
  constructor(
    private readonly cls: ClsService,
    private readonly facade: Facade,
  ) {}

  async entry(): Promise<object> {
    const thing = await this.facade.get();
    return { request: this.cls.getId(), user: this.cls.get<string>('user'), thing };
  }
}

@Controller('cls')
class ClsController {
  constructor(
    private readonly cls: ClsService,
    private readonly audit: Audit,
  ) {}

  @Get()
  async find(@Borrow('things') thing: Thing): Promise<object> {
    this.cls.set('user', 'ada');
    const { request, user, thing: below } = (await this.audit.entry()) as Record<string, unknown>;
    return {
      sameRequest: request === this.cls.getId(),
      hasId: request !== undefined,
      user,
      same: below === thing,
    };
  }
}

/** Borrows nothing before its subscriber has left, whom it never notices to be gone. */
@Controller('late')
class LateController {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  @Sse()
  late(): Observable<object> {
    return new Observable<object>(subscriber => {
      subscriber.next({ data: 'begun' });
      const borrowing = from(this.stage.pass('late')).pipe(mergeMap(() => this.facade.get()));
      borrowing.subscribe({ error: () => undefined });
      return () => this.stage.note('unsubscribed');
    });
  }
}

const MOUNTS: Record<string, Pick<ClsModuleOptions, 'middleware' | 'guard' | 'interceptor'>> = {
  middleware: { middleware: { mount: true, generateId: true } },
  guard: { guard: { mount: true, generateId: true } },
  interceptor: { interceptor: { mount: true, generateId: true } },
};

describe.each(PLATFORMS)('on %s', platform => {
  describe.each(Object.keys(MOUNTS))('beside nestjs-cls as %s, a pool', mount => {
    const rig = mixedRig(platform, () => ({
      imports: [ClsModule.forRoot({ global: true, ...MOUNTS[mount] })],
      controllers: [ClsController, LateController],
      providers: [Audit],
    }));

    itLendsAsAlways(rig, platform);

    it('lends to handlers and services that share the store of nestjs-cls', async () => {
      expect(JSON.parse((await get(`${rig.url()}/cls`)).body)).toEqual({
        sameRequest: true,
        hasId: true,
        user: 'ada',
        same: true,
      });
      await rig.allBack();
    });

    it('has back what a subscription borrows whose subscriber has left before', async () => {
      const { stage } = rig;
      const call = new Call(`${rig.url()}/late`);
      await call.firstBytes();
      call.leave();
      await rig.clientsGone();
      stage.open('late');
      await stage.reached('unsubscribed');
      await rig.allBack();
    });
  });
});
