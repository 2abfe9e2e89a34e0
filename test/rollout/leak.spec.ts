import { expect, it } from '@jest/globals';
import { ExampleProcess } from '../examples/example-process.js';
import { get } from '../support/http-client.js';
import { until } from '../support/until.js';
import { PROBE_EVERY, describeBehindHaproxy } from './haproxy.js';
import { Load } from './load.js';
import { Probers } from './probers.js';
import { READ } from './requests.js';
import { TwoShops } from './two-shops.js';

/** In the shop that leaks it costs a connection; in the other it is like all others. */
const LEAK = { path: '/orders/7' };

function openLeakingShop(environment: NodeJS.ProcessEnv): Promise<ExampleProcess> {
  return new ExampleProcess('orders', environment, 'test/rollout/leaking-shop.mjs').opened('Ctrl-C stops it');
}

describeBehindHaproxy('two shops of which one leaks connections, behind haproxy and under load', () => {
  it('become one: the leaking one is out when it has starved, and stays out, the other serves all', async () => {
    await using shops = await TwoShops.open({ two: openLeakingShop });
    await using load = new Load({
      url: shops.url,
      connections: 20,
      overallRate: 200,
      requests: [READ, READ, READ, LEAK],
    });
    await using live = new Probers([shops.directly('two', '/health/live')], PROBE_EVERY, 2_000);
    await shops.haproxy.untilStatus('two', 'DOWN', 20_000);
    const body = (await get(shops.directly('two', '/health/ready'))).body;
    expect(body).toContain('starved');
    expect(JSON.parse(body)).toMatchObject({ error: { 'orders-db': { leased: 10, max: 10 } } });

    // What it has still to answer is over when nobody waits any more.
    await until(
      async () => (await get(shops.directly('two', '/health/ready'))).body,
      text => text.includes('"waiting":0'),
    );
    const out = await shops.haproxy.server('two');
    const other = await shops.haproxy.server('one');
    const all = await shops.haproxy.frontend();
    await until(
      () => shops.haproxy.server('one'),
      ({ hrsp_2xx }) => hrsp_2xx >= other.hrsp_2xx + 500,
    );
    // Nothing was sent to it since, and no client was refused.
    expect(await shops.haproxy.server('two')).toMatchObject({
      status: 'DOWN',
      chkdown: 1,
      check_status: 'L7STS',
      hrsp_2xx: out.hrsp_2xx,
      hrsp_5xx: out.hrsp_5xx,
    });
    expect((await shops.haproxy.frontend()).hrsp_5xx).toBe(all.hrsp_5xx);

    const clients = await load.stop();
    expect(clients).toMatchObject({ errors: 0, timeouts: 0, unanswered: 0, unavailableWithoutRetryAfter: 0 });
    expect(clients['2xx']).toBeGreaterThan(500);
    expect(clients.statusCodeStats['503']?.count).toBeGreaterThan(0);
    expect(await shops.haproxy.server('one')).toMatchObject({
      status: 'UP',
      chkfail: 0,
      hrsp_5xx: 0,
      econ: 0,
      eresp: 0,
    });
    live.expectOnly200(20);
    expect(shops.deaths).toEqual([]);
  });
});
