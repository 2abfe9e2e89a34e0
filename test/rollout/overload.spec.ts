import { expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { ShopDatabase } from '../examples/shop-database.js';
import { until } from '../support/until.js';
import { PROBE_EVERY, describeBehindHaproxy } from './haproxy.js';
import { Load } from './load.js';
import { Probers } from './probers.js';
import { WRITE } from './requests.js';
import { SHOPS, TwoShops } from './two-shops.js';

/** Twice as long as it takes until a pool that serves nobody counts as starved: `maxWait` and `starvedFor`. */
const OVERLOAD = 12_000;

/** The shop's `acquireTimeout`. */
const ACQUIRE_TIMEOUT = 2_000;

/** What comes on top of the wait for a connection: a slow statement and four others, on a machine that is busy. */
const WORK = 4_000;

const PROBE_TIMEOUT = 2_000;

/**
 * The ten connections of a shop do 25 orders in a second then. Of 250 clients at a shop a connection is for 10, the queue
 * for 200, and of these 50 are served before their time is over.
 */
const CLIENTS = 500;
const SLOW_DATABASE = `
  create function nestjs_pool_orders.slow() returns trigger language plpgsql as
    $$ begin perform pg_sleep(0.4); return new; end $$;
  create trigger slow before insert on nestjs_pool_orders.orders
    for each row execute function nestjs_pool_orders.slow()`;

describeBehindHaproxy('two shops far beyond what they can serve, behind haproxy', () => {
  it('answer all probes, stay in, serve within the time to wait, and refuse the rest', async () => {
    await using shops = await TwoShops.open();
    await using database = await ShopDatabase.connect(shops.postgres.url);
    await database.sql(SLOW_DATABASE);
    // Clients that were refused come again after a second, as `Retry-After` tells them.
    await using load = new Load({
      url: shops.url,
      connections: CLIENTS,
      overallRate: CLIENTS,
      timeout: 30,
      requests: [WRITE],
    });
    for (const name of SHOPS) {
      await until(
        () => shops.haproxy.server(name),
        ({ hrsp_5xx }) => hrsp_5xx > 0,
      );
    }
    await using probers = new Probers(
      SHOPS.flatMap(name => ['/health/ready', '/health/live'].map(path => shops.directly(name, path))),
      PROBE_EVERY,
      PROBE_TIMEOUT,
    );
    // Not to wait for something: this is how long the overload is.
    await pause(OVERLOAD);
    probers.expectOnly200(OVERLOAD / PROBE_EVERY / 4);
    for (const name of SHOPS) {
      const counters = await shops.haproxy.server(name);
      expect(counters).toMatchObject({ status: 'UP', chkdown: 0, econ: 0, eresp: 0, srv_abrt: 0 });
      expect(counters.hrsp_2xx).toBeGreaterThan(100);
      expect(counters.hrsp_5xx).toBeGreaterThan(100);
    }

    const clients = await load.stop();
    expect(clients).toMatchObject({ errors: 0, timeouts: 0, unanswered: 0 });
    expect(Object.keys(clients.statusCodeStats).sort()).toEqual(['201', '503']);
    // A 503 without it would be one of haproxy, with nobody left to ask.
    expect(clients.unavailableWithoutRetryAfter).toBe(0);
    expect(clients.non2xx).toBeGreaterThan(clients['2xx']);
    expect(clients.latency.max).toBeLessThan(ACQUIRE_TIMEOUT + WORK);
    expect(shops.deaths).toEqual([]);

    // What was confirmed is in the database, once; what was under way at the end may be there too.
    const orders = await database.count(`customer = 'Ada'`);
    expect(orders).toBeGreaterThanOrEqual(clients['2xx']);
    expect(orders).toBeLessThanOrEqual(clients['2xx'] + CLIENTS);
  });
});
