import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { LateGuard } from '../support/borrowing/around.js';
import { bodyControllers } from '../support/borrowing/bodies.js';
import { byHandControllers } from '../support/borrowing/by-hand.js';
import { eventControllers } from '../support/borrowing/events.js';
import { borrowingRig } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { valueControllers } from '../support/borrowing/values.js';
import { PLATFORMS } from '../support/nest-app.js';
import { until } from '../support/until.js';

@Controller('plain')
class PlainController {
  @Get() plain(): object {
    return {};
  }
}

describe.each(PLATFORMS)('a request on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: [
      PlainController,
      ...valueControllers,
      ...bodyControllers,
      ...byHandControllers,
      ...eventControllers,
    ],
    providers: [{ provide: APP_GUARD, useClass: LateGuard }],
  });

  describe.each(WAYS)('borrowing at %s', way => {
    it.each(['by-hand', 'never', 'file', 'readable', 'generator', 'json', 'observable', 'sse'])(
      'gives back what it borrowed only after its client had left (%s)',
      async kind => {
        const call = rig.call(way, kind, { headers: { 'x-late': '1' } });
        await rig.stage.reached('not-yet');
        call.leave();
        await rig.clientsGone();
        rig.stage.open('not-yet', 'by-hand', 'source', 'handler', 'setup', 'running');
        await until(
          () => rig.pool.stats().totals,
          totals => totals.acquired === 1 && totals.released === 1,
        );
      },
    );
  });

  it('costs not even a listener on its response when it borrows nothing', async () => {
    const isWatched = async (path: string): Promise<boolean> => {
      const exchange = rig.nextExchange();
      await rig.call('plain', path).answer();
      const { response, end } = await exchange;
      return response.end !== end;
    };
    expect(await isWatched('')).toBe(false);
    rig.stage.open('handler');
    expect(await isWatched('../deep/json')).toBe(true);
  });
});

describe('a request on Fastify without middleware', () => {
  const rig = borrowingRig(() => new FastifyAdapter({ skipMiddie: true }), {
    controllers: valueControllers,
  });

  it.each(WAYS)('has a scope all the same (%s)', async way => {
    rig.stage.open('handler');
    const handedOver = rig.handedOver();
    expect((await rig.call(way, 'json').answer()).body).toBe('{"id":1}');
    expect(await handedOver).toEqual({ before: 1, after: 0 });
  });
});
