import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Controller, Get, Injectable } from '@nestjs/common';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Borrowed, InjectBorrowed, PoolModule, Transactional } from '../../../src/index.js';
import { keyedPgPool } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { failureOf } from '../../support/follow.js';
import { get } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';

@Injectable()
class Notes {
  constructor(@InjectBorrowed('tenants') private readonly db: Borrowed<Client, string>) {}

  async write(text: string): Promise<void> {
    await (await this.db.get()).query('insert into notes values ($1)', [text]);
  }

  @Transactional('tenants') joins(text: string): Promise<void> {
    return this.write(text);
  }

  @Transactional('tenants', { key: (tenant: string) => tenant })
  async of(tenant: string, work: () => Promise<unknown>): Promise<void> {
    await this.write(tenant);
    await work();
    await this.joins(`${tenant}, joined`);
  }

  async tenant(): Promise<string> {
    return (await (await this.db.get()).query<{ t: string }>("select current_setting('app.tenant') t"))
      .rows[0]!.t;
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Get() async find(): Promise<string[]> {
    const seen: string[] = [];
    const see = async (): Promise<unknown> => seen.push(await this.notes.tenant());
    await see();
    await this.notes.of('red', async () => {
      await see();
      await this.notes.of('green', see);
      await see();
    });
    await see();
    return seen;
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;
let notes: Notes;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes');
  await watch.sql('create table notes (text text)');
  const connection = (tenant: string): object => ({ options: `-c app.tenant=${tenant}` });
  const tenants = keyedPgPool<string>({ ...watch.config, maxTotal: 4, connection });
  running = await serve('express', {
    imports: [PoolModule.forRoot({ pools: [{ ...tenants, name: 'tenants', key: () => 'request' }] })],
    controllers: [NotesController],
    providers: [Notes],
  });
  notes = running.app.get(Notes);
});
afterEach(async () => {
  await assertNoLeases(running.app);
  await running.app.close();
  forgetLoggers();
  await watch[Symbol.asyncDispose]();
});

const written = async (): Promise<string[]> =>
  (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);

it('who is called from a method with @Transactional and a key, and names none, takes part in its transaction', async () => {
  await failureOf(notes.of('red', () => Promise.reject(new Error('no'))));
  expect(await written()).toEqual([]);
  await notes.of('red', () => Promise.resolve());
  expect(await written()).toEqual(['red', 'red, joined']);
});

it('each key has its own transaction, and behind all of them the key is that of the request', async () => {
  const { body } = await get(running.url);
  expect(JSON.parse(body)).toEqual(['request', 'red', 'green', 'red', 'request']);
});
