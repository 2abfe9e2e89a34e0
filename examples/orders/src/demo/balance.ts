import type { Pool } from 'nestjs-pool';
import type { Client } from 'pg';
import { SCHEMA } from '../database/schema.js';
import type { Report } from './report.js';
import type { ServerWatch } from './server-watch.js';
import { NOBODY, type ShopClient } from './shop-client.js';
import { until } from './until.js';
import type { WatchedDatabase } from './watched-database.js';

interface Parties {
  pool: Pool<Client>;
  database: WatchedDatabase;
  server: ServerWatch;
  shop: ShopClient;
}

/** Compares what the server, the factory and the ledger say with what the pool says, once everybody has left. */
export async function drawBalance(report: Report, { pool, database, server, shop }: Parties): Promise<void> {
  const { ledger, open } = database;
  // The last ones are still being cleaned.
  await until(() => ledger.missing === 0 && pool.stats().idle === pool.stats().total, 3_000);
  const { total, leased, max } = pool.stats();

  report.line('leases', `${count(ledger.given)} given, ${count(ledger.returned)} returned`);
  report.check(
    ledger.missing === 0,
    `${count(ledger.missing)} of ${count(ledger.given)} leases never came back; the pool counts ${leased} as leased`,
  );
  report.check(
    ledger.givenTwice === 0,
    `${count(ledger.givenTwice)} times somebody got a connection that somebody else had`,
  );

  const atServer = await server.connections();
  const there = [...atServer.values()].reduce((sum, number) => sum + number, 0);
  const states = [...atServer].map(([state, number]) => `${number} ${state}`).join(', ');
  report.line(
    'connections',
    `${there} open at the server (${states || 'none'}), ${open.size} by the factory's count, ${total} by the pool's`,
  );
  report.check(
    there === total && open.size === total,
    `connections do not add up: ${there} at the server, ${open.size} opened and not closed, ${total} in the pool`,
  );
  report.check(
    ledger.missing > 0 || (atServer.get('idle') ?? 0) === there,
    `nobody uses a connection, but the server says: ${states}`,
  );

  report.line(
    'cap',
    `never more than ${server.peak} at the server, seen ${count(server.samples)} times; max is ${max}`,
  );
  report.check(
    server.peak <= max,
    `the cap was exceeded: ${server.peak} connections at the server, max is ${max}`,
  );

  await balanceOrders(report, server, shop);
}

async function balanceOrders(report: Report, server: ServerWatch, { confirmed }: ShopClient): Promise<void> {
  const [orders] = await server.query<{ kept: number; nobodys: number; halves: number }>(
    `select count(*) filter (where id = any($1))::int as kept,
            count(*) filter (where customer = $2)::int as nobodys,
            count(*) filter (where not exists (select from ${SCHEMA}.order_lines where order_id = id))::int as halves
     from ${SCHEMA}.orders`,
    [confirmed, NOBODY],
  );
  const { kept = 0, nobodys = 0, halves = 0 } = orders ?? {};
  report.line('orders', `${count(confirmed.length)} confirmed, ${count(kept)} of them in the database`);
  report.check(kept === confirmed.length, `${count(confirmed.length - kept)} confirmed orders are lost`);
  report.check(nobodys === 0, `${count(nobodys)} refused orders are in the database`);
  report.check(halves === 0, `${count(halves)} orders have no lines: half a transaction`);
}

function count(number: number): string {
  return number.toLocaleString('en');
}
