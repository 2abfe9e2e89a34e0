import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Param } from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { get as httpGet } from 'node:http';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import {
  Borrow,
  BorrowSignal,
  Borrowed,
  InjectBorrowed,
  LeaseReleasedError,
  PoolModule,
  getPoolToken,
  type Pool,
} from '../../src/index.js';
import { TransactionOverlapError, pgPool } from '../../src/resources/pg.js';
import { assertNoLeases } from '../../src/testing/index.js';
import { failureOf } from '../support/follow.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';
import { Stage } from '../support/stage.js';

@Injectable()
class Accounts {
  constructor(@InjectBorrowed('db') private readonly db: Borrowed<Client>) {}

  client(): Promise<Client> {
    return this.db.get();
  }

  async move(from: string, to: string, between: () => Promise<unknown>): Promise<void> {
    const client = await this.db.get();
    await client.query('begin');
    try {
      await client.query('update accounts set amount = amount - 10 where name = $1', [from]);
      await between();
      await client.query('update accounts set amount = amount + 10 where name = $1', [to]);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    }
  }
}

/** What the code of one request has met after its end. */
const afterwards: Promise<unknown>[] = [];

@Controller()
class AccountsController {
  constructor(
    private readonly accounts: Accounts,
    private readonly stage: Stage,
  ) {}

  /** One branch fails at once, the other goes on with the client of a request that is over. */
  @Get('fail-fast') async failFast(@Borrow('db') client: Client): Promise<void> {
    const other = async (): Promise<void> => {
      await this.stage.pass('the other branch');
      await client.query("insert into lines values ('too late')");
      await client.query('commit');
    };
    const rest = other();
    afterwards.push(failureOf(rest));
    await Promise.all([rest, Promise.reject(new Error('fails fast'))]);
  }

  @Get('in-transaction') async inTransaction(@Borrow('db') client: Client): Promise<string> {
    await client.query('begin');
    await client.query("insert into lines values ('in time')");
    await this.stage.pass('in transaction');
    await client.query('rollback');
    return 'rolled back';
  }

  /** Two that share the connection of the request. */
  @Get('side-by-side') async sideBySide(): Promise<object> {
    const outcomes = await Promise.allSettled([
      this.accounts.move('a', 'b', () => this.stage.pass('first')),
      this.accounts.move('c', 'd', async () => {
        throw new Error('never comes here');
      }),
    ]);
    return outcomes.map(outcome =>
      outcome.status === 'fulfilled' ? 'moved' : (outcome.reason as Error).constructor.name,
    );
  }

  @Get('dying') async dying(@BorrowSignal() signal: AbortSignal): Promise<object> {
    const first = await this.accounts.client();
    const { rows: mine } = await first.query<{ pid: number }>('select pg_backend_pid() as pid');
    const [pid] = mine.map(row => row.pid);
    this.stage.note(`pid ${pid}`);
    await once(signal, 'abort');
    const again = await this.accounts.client();
    const { rows } = (await again.query('select pg_backend_pid() <> $1 as other', [pid])) as {
      rows: object[];
    };
    return { ...rows[0], told: (signal.reason as Error).name };
  }

  /** The connection dies under a transaction. */
  @Get('dying-in-transaction') async dyingInTransaction(
    @BorrowSignal() signal: AbortSignal,
  ): Promise<object> {
    const first = await this.accounts.client();
    await first.query('begin');
    const { rows } = await first.query<{ pid: number }>('select pg_backend_pid() as pid');
    this.stage.note(`pid ${rows.map(row => row.pid).join()}`);
    await once(signal, 'abort');
    // What somebody else in the request does now would be done outside of the transaction.
    const meanwhile = await failureOf(
      (await this.accounts.client()).query("insert into lines values ('lost')"),
    );
    await failureOf(first.query('rollback'));
    // Now everybody knows. It can be done once more, from the beginning.
    await this.accounts.move('a', 'b', () => Promise.resolve());
    return { meanwhile: (meanwhile as Error).message };
  }

  @Get('upstream/:port') async upstream(
    @Param('port') port: string,
    @Borrow('db') client: Client,
  ): Promise<void> {
    await client.query('select 1');
    await new Promise((resolve, reject) => httpGet({ port: Number(port) }, resolve).on('error', reject));
  }
}

describe.each(PLATFORMS)('a request on %s with a PostgreSQL connection', platform => {
  let local: LocalPostgres;
  let watch: PostgresWatch;
  let running: RunningApp;
  let pool: Pool<Client>;
  let stage: Stage;

  beforeAll(async () => {
    local = await launchPostgres();
    watch = await PostgresWatch.open(local);
    await watch.sql('create table lines (line text); create table accounts (name text, amount int)');
  });
  afterAll(async () => {
    await watch[Symbol.asyncDispose]();
    await local.close();
  });

  beforeEach(async () => {
    await watch.sql('truncate lines, accounts');
    await watch.sql("insert into accounts select unnest('{a,b,c,d}'::text[]), 100");
    afterwards.length = 0;
    stage = new Stage();
    running = await serve(platform, {
      imports: [
        PoolModule.forRoot({
          pools: [{ name: 'db', useFactory: () => pgPool({ ...watch.config, max: 1 }) }],
        }),
      ],
      controllers: [AccountsController],
      providers: [Accounts, { provide: Stage, useValue: stage }],
    });
    pool = running.app.get<Pool<Client>>(getPoolToken('db'));
  });
  afterEach(async () => {
    stage.openAll();
    await assertNoLeases(running.app);
    await running.app.close();
    forgetLoggers();
  });

  const ask = (path: string): Promise<Response> => fetch(`${running.url}/${path}`);

  it('cannot use it after its end, whatever branch of it goes on', async () => {
    expect((await ask('fail-fast')).status).toBe(500);
    const other = ask('in-transaction');
    await stage.reached('in transaction');
    stage.open('the other branch');
    expect(await afterwards[0]).toBeInstanceOf(LeaseReleasedError);
    stage.open('in transaction');
    expect(await (await other).text()).toBe('rolled back');
    expect(await watch.sql('select * from lines')).toEqual([]);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('does not mix the transactions of two who share it', async () => {
    const answer = ask('side-by-side');
    await stage.reached('first');
    stage.open('first');
    expect(await (await answer).json()).toEqual(['moved', TransactionOverlapError.name]);
    expect(await watch.sql('select * from accounts order by name')).toEqual([
      { name: 'a', amount: 90 },
      { name: 'b', amount: 110 },
      { name: 'c', amount: 100 },
      { name: 'd', amount: 100 },
    ]);
  });

  it('is told that it has died, and has another', async () => {
    const answer = ask('dying');
    await watch.untilBackends(1);
    for (const { pid } of await watch.backends()) {
      await stage.reached(`pid ${pid}`);
      await watch.terminate(pid);
    }
    // The handler hears of it by its signal, which is the request's.
    expect(await (await answer).json()).toEqual({ other: true, told: 'ResourceInvalidatedError' });
  });

  it('does not go on with another while a transaction has died with it, until that has been ended', async () => {
    const answer = ask('dying-in-transaction');
    await watch.untilBackends(1);
    for (const { pid } of await watch.backends()) {
      await stage.reached(`pid ${pid}`);
      await watch.terminate(pid);
    }
    expect(await (await answer).json()).toEqual({ meanwhile: expect.stringMatching(/was not sent/) });
    expect(await watch.sql('select * from lines')).toEqual([]);
    expect(await watch.sql("select amount from accounts where name in ('a', 'b') order by name")).toEqual([
      { amount: 90 },
      { amount: 110 },
    ]);
  });

  it('does not lose it for the error of somebody else’s connection', async () => {
    const flaky = createServer(socket => socket.once('data', () => socket.resetAndDestroy()));
    flaky.listen(0);
    await once(flaky, 'listening');
    for (let n = 0; n < 3; n++) {
      expect((await ask(`upstream/${(flaky.address() as AddressInfo).port}`)).status).toBe(500);
    }
    flaky.close();
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});
