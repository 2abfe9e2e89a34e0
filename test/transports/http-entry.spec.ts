import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Borrow, PoolModule, PoolRegistry } from '../../src/index.js';
import { LateGuard } from '../support/borrowing/around.js';
import { bodyControllers } from '../support/borrowing/bodies.js';
import { byHandControllers } from '../support/borrowing/by-hand.js';
import { eventControllers } from '../support/borrowing/events.js';
import { borrowingRig } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { valueControllers } from '../support/borrowing/values.js';
import { PLATFORMS, forgetLoggers, serve } from '../support/nest-app.js';
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

describe.each(PLATFORMS)('a request on %s whose context was lost on the way', platform => {
  @Controller()
  class LostController {
    @Get() find(@Borrow('items') item: unknown): unknown {
      return item;
    }
  }

  it('borrows nothing, as nobody would know when its handler is done with it', async () => {
    const outside = new EventEmitter();
    const ticking = setInterval(() => outside.emit('tick'), 1);
    const { app, url, log } = await serve(
      platform,
      {
        imports: [PoolModule.forRoot({ pools: [{ name: 'items', create: () => ({ id: 1 }) }], log: false })],
        controllers: [LostController],
      },
      it => it.use((_request: unknown, _response: unknown, next: () => void) => outside.once('tick', next)),
    );
    try {
      expect((await fetch(url)).status).toBe(500);
      expect(log.lines.join()).toMatch(
        /NoBorrowScopeError: Pool "items".*lost the AsyncLocalStorage context/,
      );
      expect(app.get(PoolRegistry).get('items').stats().totals.acquired).toBe(0);
    } finally {
      clearInterval(ticking);
      await app.close();
      forgetLoggers();
    }
  });
});
