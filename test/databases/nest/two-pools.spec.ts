import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Borrow, PoolModule } from '../../../src/index.js';
import { pgPool } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { get } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';

@Controller()
class TwoController {
  /** The commit of the first fails, and not what is sent before. */
  @Get('first-fails') async firstFails(
    @Borrow('a', { transaction: true }) a: Client,
    @Borrow('b', { transaction: true }) b: Client,
  ): Promise<string> {
    await a.query('insert into uniques values (1), (1)');
    await b.query("insert into notes values ('b')");
    return 'done';
  }

  /** As `first-fails`, and answers before that is known. */
  @Get('by-hand') async byHand(
    @Borrow('a', { transaction: true }) a: Client,
    @Borrow('b', { transaction: true }) b: Client,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.firstFails(a, b);
    response.end('done');
  }

  @Get('both') async both(
    @Borrow('a', { transaction: true }) a: Client,
    @Borrow('b', { transaction: true }) b: Client,
  ): Promise<string> {
    await a.query("insert into notes values ('a')");
    await b.query("insert into notes values ('b')");
    return 'done';
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;

beforeAll(async () => {
  server = await launchPostgres();
  watch = await PostgresWatch.open(server);
  await watch.sql('create table notes (text text)');
  await watch.sql('create table uniques (n int unique deferrable initially deferred)');
  const pools = ['a', 'b'].map(name => ({ ...pgPool({ ...watch.config, max: 1 }), name }));
  running = await serve('express', {
    imports: [PoolModule.forRoot({ pools })],
    controllers: [TwoController],
  });
});
beforeEach(() => watch.sql('truncate notes, uniques'));
afterAll(async () => {
  await running.app.close();
  forgetLoggers();
  await watch[Symbol.asyncDispose]();
  await server.close();
});

const written = (): Promise<unknown[]> => watch.sql('select text from notes order by text');

it('what a handler has done with a second pool is rolled back when the commit of the first fails', async () => {
  expect(await get(`${running.url}/first-fails`)).toMatchObject({ status: 500 });
  await assertNoLeases(running.app);
  expect(await written()).toEqual([]);
});

it('also where they end with the scope, which the log tells of both', async () => {
  expect(await get(`${running.url}/by-hand`)).toMatchObject({ status: 200, body: 'done' });
  await assertNoLeases(running.app);
  expect(await written()).toEqual([]);
  const told = running.log.lines.filter(line => line.includes('its transaction was not committed'));
  expect(told).toHaveLength(2);
});

it('both are committed when both can be', async () => {
  expect(await get(`${running.url}/both`)).toMatchObject({ status: 200, body: 'done' });
  expect(await written()).toEqual([{ text: 'a' }, { text: 'b' }]);
});
