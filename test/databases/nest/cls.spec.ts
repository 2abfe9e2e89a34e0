import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Post } from '@nestjs/common';
import {
  ClsPluginTransactional,
  InjectTransaction,
  Propagation,
  TransactionHost,
  Transactional,
} from '@nestjs-cls/transactional';
import type { LocalPostgres } from 'local-postgres';
import { ClsModule, ClsService } from 'nestjs-cls';
import type { Client } from 'pg';
import { TransactionalAdapterNestjsPool, type NestjsPoolTransaction } from '../../../src/cls/index.js';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  TransactionOverError,
  TransactionRefusedError,
  Transactional as OurTransactional,
} from '../../../src/index.js';
import { pgPool } from '../../../src/pg/index.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { failureOf } from '../../support/follow.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { Stage } from '../../support/stage.js';

type Adapter = TransactionalAdapterNestjsPool;
type Work = () => Promise<unknown>;

const oops = new Error('oops');
let work: Work;

@Injectable()
class Notes {
  constructor(
    private readonly host: TransactionHost<Adapter>,
    @InjectTransaction() private readonly injected: NestjsPoolTransaction,
    @InjectBorrowed('db') private readonly db: Borrowed<Client>,
  ) {}

  async insert(text: string): Promise<void> {
    await this.host.tx.query('insert into notes values ($1)', [text]);
  }

  async insertInjected(text: string): Promise<void> {
    await this.injected.query('insert into notes values ($1)', [text]);
  }

  async insertBorrowed(text: string): Promise<void> {
    await (await this.db.get()).query('insert into notes values ($1)', [text]);
  }

  setting(name: string): Promise<string> {
    return this.host.tx
      .query<{ value: string }>('select current_setting($1) as value', [name])
      .then(({ rows }) => rows[0]!.value);
  }

  @Transactional()
  async required(inner: Work): Promise<void> {
    await inner();
  }

  @Transactional<Adapter>({ isolation: 'serializable', readOnly: true })
  async serializable(inner: Work): Promise<void> {
    await inner();
  }

  @Transactional(Propagation.RequiresNew)
  async apart(inner: Work): Promise<void> {
    await inner();
  }

  @Transactional(Propagation.Nested)
  async nested(inner: Work): Promise<void> {
    await inner();
  }

  @Transactional(Propagation.NotSupported)
  async outside(inner: Work): Promise<void> {
    await inner();
  }

  @OurTransactional('db')
  async ours(inner: Work): Promise<void> {
    await inner();
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Post('theirs')
  theirs(): Promise<void> {
    return this.notes.required(work);
  }

  @Post('borrow')
  async borrow(@Borrow('db', { transaction: true }) _client: Client): Promise<void> {
    await work();
  }

  @Post('plain')
  async plain(): Promise<void> {
    await work();
  }
}

describe('@nestjs-cls/transactional', () => {
  let server: LocalPostgres;
  let watch: PostgresWatch;
  let running: RunningApp;
  let stage: Stage;
  let notes: Notes;

  beforeAll(async () => {
    server = await launchPostgres();
    watch = await PostgresWatch.open(server);
    await watch.sql('create table notes (text text)');
  });
  afterAll(async () => {
    await watch[Symbol.asyncDispose]();
    await server.close();
  });
  beforeEach(async () => {
    await watch.sql('truncate notes');
    stage = new Stage();
    running = await serve('express', {
      imports: [
        PoolModule.forRoot({
          pools: [
            { name: 'db', useFactory: () => pgPool({ ...watch.config, max: 3 }), acquireTimeout: 5_000 },
          ],
        }),
        ClsModule.forRoot({
          global: true,
          middleware: { mount: true },
          plugins: [
            new ClsPluginTransactional({
              adapter: new TransactionalAdapterNestjsPool({ pool: 'db' }),
              enableTransactionProxy: true,
            }),
          ],
        }),
      ],
      controllers: [NotesController],
      providers: [Notes],
    });
    notes = running.app.get(Notes);
  });
  afterEach(async () => {
    stage.openAll();
    await assertNoLeases(running.app);
    await running.app.close();
    forgetLoggers();
  });

  const committed = async (): Promise<string[]> =>
    (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);
  const post = async (path: string): Promise<number> =>
    (await fetch(`${running.url}/${path}`, { method: 'POST' })).status;
  const insertEach = async (prefix = ''): Promise<void> => {
    await notes.insert(`${prefix}host`);
    await notes.insertInjected(`${prefix}injected`);
    await notes.insertBorrowed(`${prefix}borrowed`);
  };

  it.each(['theirs', 'borrow'])('and the scope have one transaction (%s)', async path => {
    work = async () => {
      await insertEach();
      await notes.required(() => notes.insert('required'));
      expect(await committed()).toEqual([]);
    };
    expect(await post(path)).toBe(201);
    expect(await committed()).toEqual(['borrowed', 'host', 'injected', 'required']);
  });

  it.each(['theirs', 'borrow'])('and the scope leave nothing when it fails (%s)', async path => {
    work = async () => {
      await insertEach();
      await notes.required(() => notes.insert('required'));
      throw oops;
    };
    expect(await post(path)).toBe(500);
    expect(await committed()).toEqual([]);
  });

  it('takes part in the transaction of a method of ours, and ours in that of its own', async () => {
    work = async () => {
      await failureOf(
        notes.ours(async () => {
          await notes.required(() => insertEach());
          throw oops;
        }),
      );
      await failureOf(
        notes.required(async () => {
          await notes.ours(() => insertEach());
          throw oops;
        }),
      );
    };
    expect(await post('plain')).toBe(201);
    expect(await committed()).toEqual([]);
  });

  it('works outside of requests, and of transactions by the pool', async () => {
    const cls = running.app.get(ClsService);
    await notes.insert('alone');
    await cls.run(() => notes.insert('in a context'));
    await cls.run(() => notes.required(() => insertEach()));
    expect(await committed()).toEqual(['alone', 'borrowed', 'host', 'in a context', 'injected']);
  });

  it('begins as it is asked to', async () => {
    const cls = running.app.get(ClsService);
    await cls.run(() =>
      notes.serializable(async () => {
        expect(await notes.setting('transaction_isolation')).toBe('serializable');
        expect(await notes.setting('transaction_read_only')).toBe('on');
      }),
    );
    const misfit = notes.ours(() => cls.run(() => notes.serializable(async () => undefined)));
    expect(await failureOf(misfit)).toBeInstanceOf(TransactionRefusedError);
  });

  it('has its propagations', async () => {
    work = async () => {
      await notes.insert('outer');
      await failureOf(
        notes.nested(async () => {
          await insertEach('nested ');
          throw oops;
        }),
      );
      await notes.nested(() => notes.insert('savepoint'));
      await notes.apart(() => insertEach('apart '));
      expect(await committed()).toEqual(['apart borrowed', 'apart host', 'apart injected']);
      await notes.outside(async () => {
        await notes.insert('outside');
        expect(await committed()).toContain('outside');
        await failureOf(
          notes.required(async () => {
            await notes.insert('another');
            throw oops;
          }),
        );
      });
    };
    expect(await post('theirs')).toBe(201);
    expect(await committed()).toEqual([
      'apart borrowed',
      'apart host',
      'apart injected',
      'outer',
      'outside',
      'savepoint',
    ]);
  });

  it('commits nothing of what runs on behind the end of a transaction', async () => {
    let late: Promise<unknown[]> | undefined;
    work = async () => {
      const inserts = [() => notes.insert('late'), () => notes.insertBorrowed('late')];
      const slow = inserts.map(async insert => {
        await stage.pass('slow');
        await insert();
      });
      late = Promise.all(slow.map(failureOf));
      await Promise.all([...slow, Promise.reject(oops)]);
    };
    await running.app.get(BorrowScopes).run(async () => {
      await failureOf(running.app.get(ClsService).run(() => notes.required(work)));
      stage.open('slow');
      for (const error of await late!) expect(error).toBeInstanceOf(TransactionOverError);
    });
    expect(await committed()).toEqual([]);
  });

  it('is told what is wrong with the options', () => {
    expect(() => new TransactionalAdapterNestjsPool({ pool: '' })).toThrow(/name of a pool/);
    const defaultTxOptions = { isolation: 'snapshot' as never };
    expect(() => new TransactionalAdapterNestjsPool({ pool: 'db', defaultTxOptions })).toThrow(/isolation/);
  });
});
