import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Observable } from 'rxjs';
import { byHandControllers } from '../support/borrowing/by-hand.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { WAYS } from '../support/borrowing/services.js';
import { valueControllers } from '../support/borrowing/values.js';
import { KeepAliveClient } from '../support/keep-alive-client.js';
import { PLATFORMS } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

@Controller('plain')
class PlainController {
  constructor(private readonly stage: Stage) {}

  @Get('endless') endless(): Observable<never> {
    return new Observable(() => {
      this.stage.note('subscribed');
    });
  }
}

describe.each(PLATFORMS)('a connection that is kept alive on %s', platform => {
  const rig = borrowingRig(platform, { controllers: [...valueControllers, ...byHandControllers] });
  let client: KeepAliveClient;
  let socket: Socket;

  beforeEach(async () => {
    const connected = once(rig.server, 'connection');
    client = rig.with(await KeepAliveClient.connect(rig.port));
    [socket] = (await connected) as [Socket];
  });

  const listeners = (): Record<string, number> =>
    Object.fromEntries(socket.eventNames().map(name => [String(name), socket.listenerCount(name)]));

  describe.each(WAYS)('borrowed at %s', way => {
    it('has a lease for each of its requests, which is back before the next', async () => {
      rig.stage.open('handler');
      for (let n = 1; n <= 5; n++) {
        const handedOver = rig.handedOver();
        client.send(`/${way}/json`);
        expect(await handedOver).toEqual({ before: 1, after: 0 });
        await client.received('{"id":1}', n);
        expect(rig.pool.stats().totals).toMatchObject({ acquired: n, released: n });
      }
    });

    it('has a lease for each of many requests that are sent before the first is answered', async () => {
      rig.stage.open('handler');
      client.send(...Array.from({ length: 5 }, () => `/${way}/json`));
      await client.received('{"id":1}', 5);
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect(rig.pool.stats().totals.acquired).toBe(5);
    });

    it('has no more listeners after a hundred requests than after the first', async () => {
      rig.stage.open('handler');
      client.send(`/${way}/json`);
      await client.received('{"id":1}');
      const before = listeners();
      for (let n = 2; n <= 100; n++) {
        client.send(`/${way}/json`);
        await client.received('{"id":1}', n);
      }
      expect(listeners()).toEqual(before);
      client.send(...Array.from({ length: 50 }, () => `/${way}/json`));
      await client.received('{"id":1}', 150);
      expect(listeners()).toEqual(before);
    });

    it('leaves the queue with all its requests that wait, and a handler that runs its resource', async () => {
      client.send(...Array.from({ length: 3 }, () => `/${way}/json`));
      await rig.stage.reached('handler');
      await rig.waitingAre(2);
      client.lose();
      await rig.waitingAre(0);
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      await nextTurn();
      expect(rig.leased()).toBe(0);
      expect(rig.pool.stats().totals.aborted).toBe(2);
      expect(rig.loggedErrors).toEqual([]);
    });

    it('keeps nothing of a request that is over', async () => {
      rig.stage.open('handler');
      const request = await rig.nextRequest(() => {
        client.send(`/${way}/json`);
      });
      await client.received('{"id":1}');
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      await until(
        () => {
          collect();
          return request.deref() === undefined;
        },
        gone => gone,
      );
      expect(socket.destroyed).toBe(false);
    });
  });
});

describe.each(PLATFORMS)('a request that waits for its turn on a connection on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: [PlainController, ...valueControllers, ...byHandControllers],
    pool: { max: 2 },
  });

  describe.each(WAYS)('borrowed at %s', way => {
    it('gives its resource back when its reply is handed over, though that cannot be sent yet', async () => {
      const client = rig.with(await KeepAliveClient.connect(rig.port));
      client.send(`/${way}/json`, `/${way}/cached`);
      await rig.stage.reached('handler');
      await until(
        () => rig.pool.stats().totals.released,
        n => n === 1,
      );
      expect(rig.leased()).toBe(1);
      rig.stage.open('handler');
      await client.received('"tag"');
    });

    it('gives its resource back when it answers with an Observable, and Nest hears first that the client leaves', async () => {
      const client = rig.with(await KeepAliveClient.connect(rig.port));
      client.send('/plain/endless');
      await rig.stage.reached('subscribed');
      await nextTurn();
      client.send(`/${way}/observable`);
      await rig.stage.reached('running');
      expect(rig.leased()).toBe(1);
      client.lose();
      await rig.stage.reached('unsubscribed');
      await rig.allBack();
    });

    it('gives its resource back when it answers by hand and the client leaves before its turn', async () => {
      const client = rig.with(await KeepAliveClient.connect(rig.port));
      client.send(`/${way}/json`, `/${way}/never`);
      await rig.stage.reached('handler');
      await rig.stage.reached('left alone');
      expect(rig.leased()).toBe(2);
      client.lose();
      await until(
        () => rig.leased(),
        n => n === 1,
      );
      rig.stage.open('handler');
    });
  });
});
