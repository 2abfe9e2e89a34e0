import { getPoolToken, type Pool } from 'nestjs-pool';
import { startPostgres } from 'local-postgres';
import type { AddressInfo } from 'node:net';
import type { Client } from 'pg';
import { createApp } from '../create-app.js';
import { prepareDatabase } from '../database/prepare-database.js';
import { Demonstration } from './demonstration.js';
import { Report } from './report.js';
import { chosenSabotage, loseLease } from './sabotage.js';
import { ServerWatch } from './server-watch.js';
import { WatchedDatabase } from './watched-database.js';

/** Runs the shop and its customers, and ends the process: with 0 when everything added up, else with 1. */
async function main(): Promise<number> {
  const sabotage = chosenSabotage();
  const report = new Report();
  const postgres = await startPostgres({ database: 'orders' });
  const database = new WatchedDatabase(postgres.url, sabotage);
  await prepareDatabase(database.url);
  const server = new ServerWatch(database.url, database.application);

  // Silent, as it would fill the screen with the errors that are provoked here.
  const app = await createApp(database, { logger: false });
  const pool = app.get<Pool<Client>>(getPoolToken('orders-db'));
  if (sabotage === 'release') loseLease(pool);
  database.ledger.watch(pool);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  if (sabotage) report.title(`Sabotaged: ${sabotage}`);

  await new Demonstration({ app, url: `http://127.0.0.1:${port}`, postgres, database, server, report }).run();

  await server.stop();
  await postgres.close();
  const { findings } = report;
  report.title(findings.length === 0 ? 'Everything adds up.' : `FAILED, ${findings.length} found:`);
  for (const finding of findings) report.line('', finding);
  return findings.length === 0 ? 0 : 1;
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
