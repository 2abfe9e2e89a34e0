import { expect, it } from '@jest/globals';
import { Call } from '../support/http-client.js';
import { until } from '../support/until.js';
import { describeBehindHaproxy } from './haproxy.js';
import { LiveListener } from './live-listener.js';
import { Load } from './load.js';
import { ORDER, READ, WRITE } from './requests.js';
import { SHOPS, TwoShops, type ShopName } from './two-shops.js';

const ROUNDS = 3;

/** A shop that came back has had its share before the next one goes. */
async function untilServing(shops: TwoShops, name: ShopName): Promise<void> {
  const before = (await shops.haproxy.server(name)).hrsp_2xx;
  await until(
    () => shops.haproxy.server(name),
    ({ hrsp_2xx }) => hrsp_2xx >= before + 20,
  );
}

describeBehindHaproxy('a rolling restart of two shops, behind haproxy and under load', () => {
  it('fails no request, and completes live streams that go on elsewhere', async () => {
    await using shops = await TwoShops.open();
    await using live = new LiveListener(`${shops.url}/orders/live`);
    await until(
      () => live.isAttached,
      attached => attached,
    );
    await using load = new Load({
      url: shops.url,
      connections: 10,
      overallRate: 300,
      requests: [READ, READ, WRITE],
    });
    for (const name of SHOPS) await untilServing(shops, name);

    for (let round = 1; round <= ROUNDS; round++) {
      for (const name of SHOPS) {
        expect(await shops.restart(name)).toEqual({ code: 0, signal: null });
        await untilServing(shops, name);
      }
    }
    const clients = await load.stop();
    expect(clients).toMatchObject({ non2xx: 0, errors: 0, timeouts: 0, unanswered: 0 });
    expect(clients['2xx']).toBeGreaterThan(ROUNDS * SHOPS.length * 100);

    const frontend = await shops.haproxy.frontend();
    expect(frontend).toMatchObject({ hrsp_3xx: 0, hrsp_4xx: 0, hrsp_5xx: 0 });
    // What autocannon has counted came through haproxy.
    expect(frontend.hrsp_2xx).toBeGreaterThanOrEqual(clients['2xx']);
    for (const name of SHOPS) {
      const counters = await shops.haproxy.server(name);
      expect(counters).toMatchObject({ status: 'UP', check_status: 'L7OK', chkdown: ROUNDS });
      expect(counters).toMatchObject({ hrsp_5xx: 0, econ: 0, eresp: 0, srv_abrt: 0, wretr: 0, wredis: 0 });
      // Two probes fail before a server is out.
      expect(counters.chkfail).toBeGreaterThanOrEqual(2 * ROUNDS);
    }

    expect(live.failures).toEqual([]);
    // It is at one of the two, and goes when that one does: only the first restart may pass it by.
    expect(live.completed).toBeGreaterThanOrEqual(ROUNDS * SHOPS.length - 1);
    await until(
      () => live.isAttached,
      attached => attached,
    );
    const placed = await new Call(`${shops.url}/orders`, { method: 'POST', body: ORDER }).answer();
    const { id } = JSON.parse(placed.body) as { id: number };
    await until(
      () => live.heard,
      heard => heard.includes(`"id":${id},`),
    );
    expect(shops.deaths).toEqual([]);
  });
});
