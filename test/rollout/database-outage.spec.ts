import { expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import type { PoolStats } from '../../src/index.js';
import { get } from '../support/http-client.js';
import { until } from '../support/until.js';
import { PROBE_EVERY, describeBehindHaproxy } from './haproxy.js';
import { Load } from './load.js';
import { Probers } from './probers.js';
import { READ, WRITE } from './requests.js';
import { SHOPS, TwoShops, type ShopName } from './two-shops.js';

const OUTAGE = 5_000;

/** The shop's `createBackoff.max`. */
const BACK_OFF = 1_000;

/** For a machine that is busy. A longer back-off exceeds it unless jitter makes a wait short. */
const SLACK = 2_000;

async function poolState(shops: TwoShops, name: ShopName): Promise<PoolStats['state']> {
  const [pool] = JSON.parse((await get(shops.directly(name, '/pools'))).body) as PoolStats[];
  return pool!.state;
}

describeBehindHaproxy('two shops that lose their database for a while, behind haproxy and under load', () => {
  it('are out as soon as their pools know, alive all the time, and back when the database is', async () => {
    await using shops = await TwoShops.open();
    await using load = new Load({
      url: shops.url,
      connections: 10,
      overallRate: 200,
      requests: [READ, WRITE],
    });
    await using live = new Probers(
      SHOPS.map(name => shops.directly(name, '/health/live')),
      PROBE_EVERY,
      2_000,
    );
    for (const name of SHOPS) {
      await until(
        () => shops.haproxy.server(name),
        ({ hrsp_2xx }) => hrsp_2xx >= 50,
      );
    }

    await shops.postgres.stop();
    const stopped = performance.now();
    for (const name of SHOPS) {
      await until(
        () => poolState(shops, name),
        state => state === 'unavailable',
      );
      expect((await get(shops.directly(name, '/health/ready'))).status).toBe(503);
    }
    // Both know by now. Two probes, and one that was under way.
    await Promise.all(SHOPS.map(name => shops.haproxy.untilStatus(name, 'DOWN', 3 * PROBE_EVERY + SLACK)));
    const probed = await Promise.all(SHOPS.map(async name => (await shops.haproxy.server(name)).chkfail));
    expect((await get(`${shops.url}/orders/42`)).status).toBe(503);
    // Not to wait for something: this is how long the outage is.
    await pause(OUTAGE - (performance.now() - stopped));
    for (const [i, name] of SHOPS.entries()) {
      const counters = await shops.haproxy.server(name);
      // Out once, and by an answer: nobody has restarted it, and it has not come back in between.
      expect(counters).toMatchObject({ status: 'DOWN', chkdown: 1, check_status: 'L7STS' });
      expect(counters.lastchg).toBeGreaterThanOrEqual(1);
      expect(probed[i]).toBeGreaterThanOrEqual(2);
    }

    await shops.postgres.start();
    const soon = BACK_OFF + PROBE_EVERY + SLACK;
    await Promise.all(SHOPS.map(name => shops.haproxy.untilStatus(name, 'UP', soon)));
    expect((await get(`${shops.url}/orders/42`)).status).toBe(200);
    for (const name of SHOPS) {
      const before = (await shops.haproxy.server(name)).hrsp_2xx;
      await until(
        () => shops.haproxy.server(name),
        ({ hrsp_2xx }) => hrsp_2xx >= before + 50,
      );
      expect(await shops.haproxy.server(name)).toMatchObject({ status: 'UP', chkdown: 1, econ: 0 });
    }

    const clients = await load.stop();
    // In between they were refused, by the shops and then by haproxy, but always answered.
    expect(clients).toMatchObject({ errors: 0, timeouts: 0, unanswered: 0 });
    expect(clients['2xx']).toBeGreaterThan(200);
    expect(clients.statusCodeStats['503']?.count).toBeGreaterThan(100);
    live.expectOnly200(OUTAGE / PROBE_EVERY / 2);
    expect(shops.deaths).toEqual([]);
  });
});
