import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Res, SetMetadata } from '@nestjs/common';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { of } from 'rxjs';
import {
  Borrow,
  BorrowScopes,
  BorrowSignal,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  TransactionOverError,
  TransactionRefusedError,
  Transactional,
  UnknownPoolError,
  getBorrowedToken,
  getPoolToken,
  type Pool,
  type Propagation,
} from '../../../src/index.js';
import { pgPool, type TransactionOverlapError } from '../../../src/resources/pg.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { failureOf } from '../../support/follow.js';
import { Call } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';

const WRITE = 'insert into notes values ($1)';
/** The transaction that a connection is in, and its backend. */
const WHERE = 'select txid_current()::text tx, pg_backend_pid() pid';
interface Where {
  readonly tx: string;
  readonly pid: number;
}

@Injectable()
class Notes {
  constructor(
    @InjectBorrowed('db') readonly db: Borrowed<Client>,
    readonly stage: Stage,
  ) {}

  async where(): Promise<Where> {
    const { rows } = await (await this.db.get()).query<Where>(WHERE);
    return rows[0]!;
  }

  async write(text: string): Promise<void> {
    await (await this.db.get()).query(WRITE, [text]);
  }

  @Transactional('db') async all(...texts: string[]): Promise<void> {
    for (const text of texts) await this.write(text);
  }

  @Transactional('db') async fails(text: string): Promise<never> {
    await this.write(text);
    throw new Error('no');
  }

  @Transactional('db') async within<R>(work: () => Promise<R>): Promise<R> {
    return work();
  }

  @Transactional('db', { propagation: 'NESTED' }) async nested<R>(work: () => Promise<R>): Promise<R> {
    return work();
  }

  @Transactional('db', { propagation: 'REQUIRES_NEW' }) async apart<R>(work: () => Promise<R>): Promise<R> {
    return work();
  }

  @Transactional('db', { propagation: 'MANDATORY' }) mandatory(): Promise<Where> {
    return this.where();
  }

  @Transactional('db', { propagation: 'NEVER' }) never(): Promise<Where> {
    return this.where();
  }

  @Transactional('db', { propagation: 'SUPPORTS' }) supports(): Promise<Where> {
    return this.where();
  }

  @Transactional('db', { propagation: 'NOT_SUPPORTED' }) notSupported(): Promise<Where> {
    return this.where();
  }

  @Transactional('db', { isolation: 'serializable', readOnly: true }) async serializable(): Promise<unknown> {
    const { rows } = await (
      await this.db.get()
    ).query("select current_setting('transaction_isolation') i, current_setting('transaction_read_only') r");
    return rows[0];
  }

  @Transactional('db', { readOnly: true }) reads(): Promise<Where> {
    return this.where();
  }

  /** Adds one, by reading and writing. */
  @Transactional('db', { isolation: 'repeatable read', retry: { attempts: 3, delay: 1 } })
  async increment(step: string): Promise<void> {
    const client = await this.db.get();
    const { rows } = await client.query<{ n: number }>('select n from counter');
    this.stage.note(step);
    await this.stage.pass(`${step} has read`);
    await client.query('update counter set n = $1', [rows[0]!.n + 1]);
  }

  @Transactional('db', { isolation: 'repeatable read' }) async incrementOnce(step: string): Promise<void> {
    const client = await this.db.get();
    const { rows } = await client.query<{ n: number }>('select n from counter');
    await this.stage.pass(`${step} has read`);
    await client.query('update counter set n = $1', [rows[0]!.n + 1]);
  }

  @Transactional('db', { retry: { attempts: 2, delay: 1, when: () => true } })
  async attempts(tried: unknown[]): Promise<void> {
    tried.push(1);
    await this.write('one');
    throw new Error('again');
  }

  // A method of JavaScript, or with a cast, may return anything.
  @Transactional('db') async observable(): Promise<unknown> {
    await this.write('one');
    return of(1);
  }

  @Transactional('db') async straggles(): Promise<void> {
    const straggler = async (): Promise<void> => {
      const client = await this.db.get();
      await this.stage.pass('straggler');
      await client.query(WRITE, ['too late']);
    };
    this.late = failureOf(straggler());
    await this.write('one');
    throw new Error('no');
  }
  late: Promise<unknown> = Promise.resolve();

  @Transactional('db') async forgets(): Promise<void> {
    this.late = (async () => {
      await this.stage.pass('forgotten');
      return failureOf(this.db.get());
    })();
    await this.write('one');
  }
}

const Marked = SetMetadata('marked', true);

/** How often what was tried again. */
const tries: string[] = [];

@Controller()
class NotesController {
  constructor(
    private readonly notes: Notes,
    private readonly stage: Stage,
  ) {}

  @Get('answered') async answered(@Res() response: ServerResponse & { raw: ServerResponse }): Promise<void> {
    response.raw.end('done');
    const tried: unknown[] = [];
    await failureOf(this.notes.attempts(tried));
    tries.push(...tried.map(() => 'answered'));
    this.stage.note('tried');
  }

  @Get('leaves') async leaves(@BorrowSignal() signal: AbortSignal): Promise<void> {
    this.stage.note('waits');
    await once(signal, 'abort');
    const tried: unknown[] = [];
    await failureOf(this.notes.attempts(tried));
    tries.push(...tried.map(() => 'leaves'));
    this.stage.note('left');
  }

  @Get('above')
  @Transactional('db')
  async above(@Borrow('db') client: Client): Promise<string> {
    await client.query(WRITE, ['above']);
    return 'done';
  }

  @Transactional('db')
  @Marked
  @Get('below')
  async below(): Promise<string> {
    await this.notes.write('below');
    return 'done';
  }

  @Get('joins') async joins(@Borrow('db', { transaction: true }) client: Client): Promise<unknown> {
    const { rows } = await client.query<Where>(WHERE);
    const states = [rows[0], await this.notes.within(() => this.notes.where()), await this.notes.mandatory()];
    const apart = [await this.notes.apart(() => this.notes.where()), await this.notes.notSupported()];
    const rolledBack = await failureOf(
      this.notes.nested(async () => {
        await this.notes.write('nested');
        throw new Error('nested');
      }),
    );
    await this.notes.write('kept');
    return {
      same: states.every(({ tx } = rows[0]!) => tx === rows[0]!.tx),
      apart,
      rolledBack: String(rolledBack),
    };
  }
}

let server: LocalPostgres;
let watch: PostgresWatch;
let running: RunningApp;
let pool: Pool<Client>;
let notes: Notes;
let scopes: BorrowScopes;
let stage: Stage;

beforeAll(async () => {
  server = await launchPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  watch = await PostgresWatch.open(server);
  await watch.sql('drop table if exists notes, counter');
  await watch.sql('create table notes (text text)');
  await watch.sql('create table counter (n int)');
  await watch.sql('insert into counter values (0)');
  stage = new Stage();
  running = await serve('fastify', {
    imports: [PoolModule.forRoot({ pools: [{ ...pgPool({ ...watch.config, max: 3 }), name: 'db' }] })],
    controllers: [NotesController],
    providers: [Notes, { provide: Stage, useFactory: () => stage }],
  });
  pool = running.app.get<Pool<Client>>(getPoolToken('db'), { strict: false });
  notes = running.app.get(Notes, { strict: false });
  scopes = running.app.get(BorrowScopes, { strict: false });
});
afterEach(async () => {
  await assertNoLeases(pool);
  expect(
    await watch.sql("select 1 from pg_stat_activity where state like 'idle in%' and application_name = $1", [
      watch.application,
    ]),
  ).toEqual([]);
  await running.app.close();
  forgetLoggers();
  await watch[Symbol.asyncDispose]();
});

const written = async (): Promise<string[]> =>
  (await watch.sql<{ text: string }>('select text from notes order by text')).map(({ text }) => text);
const counted = async (): Promise<number> => (await watch.sql<{ n: number }>('select n from counter'))[0]!.n;

describe('a method in a transaction', () => {
  it('is committed when it resolves and rolled back when it rejects, outside of requests in a scope of its own', async () => {
    await notes.all('one', 'two');
    await expect(notes.fails('three')).rejects.toThrow('no');
    expect(await written()).toEqual(['one', 'two']);
    expect(pool.stats().leased).toBe(0);
  });

  it('has the connection of its scope where nobody else has a transaction on it, and gives it back with that', async () => {
    await scopes.run(async () => {
      const before = await notes.where();
      const inside = await notes.within(() => notes.where());
      expect(inside.pid).toBe(before.pid);
      expect(inside.tx).not.toBe(before.tx);
      expect(pool.stats().leased).toBe(1);
    });
  });

  it('gives back at its end what it has borrowed for itself', async () => {
    await scopes.run(async () => {
      await notes.within(() => notes.where());
      expect(pool.stats().leased).toBe(0);
    });
  });

  it('is the same for all that it calls, and nobody else’s', async () => {
    await scopes.run(async () => {
      const inside = notes.within(async () => {
        const first = await notes.where();
        stage.note('inside');
        await stage.pass('outside is done');
        return [first, await notes.within(() => notes.where())];
      });
      await stage.reached('inside');
      const outside = await notes.where();
      stage.open('outside is done');
      const [first, second] = await inside;
      expect(second).toEqual(first);
      expect(outside.pid).not.toBe(first!.pid);
    });
  });

  it('leaves another connection to who asks meanwhile, also when it is on the one of the scope', async () => {
    await scopes.run(async () => {
      const before = await notes.where();
      const inside = notes.within(async () => {
        stage.note('inside');
        await stage.pass('outside is done');
        return notes.where();
      });
      await stage.reached('inside');
      const outside = await notes.where();
      stage.open('outside is done');
      expect((await inside).pid).toBe(before.pid);
      expect(outside.pid).not.toBe(before.pid);
    });
  });

  it('does not take a connection that somebody is just being given', async () => {
    await scopes.run(async () => {
      const log = async (): Promise<void> => {
        const client = await notes.db.get();
        await stage.pass('log');
        await client.query(WRITE, ['log']);
      };
      const logging = log();
      await notes.within(async () => {
        await notes.write('one');
        stage.open('log');
        await logging;
      });
    });
    expect(await written()).toEqual(['log', 'one']);
  });

  it('keeps out a client that somebody has got before', async () => {
    await scopes.run(async () => {
      const client = await notes.db.get();
      const inside = notes.within(async () => {
        await notes.write('one');
        stage.note('inside');
        await stage.pass('go on');
      });
      await stage.reached('inside');
      const error = (await failureOf(client.query(WRITE, ['mixed in']))) as TransactionOverlapError;
      expect(error.code).toBe('PG_TRANSACTION_OVERLAP');
      stage.open('go on');
      await inside;
      await client.query(WRITE, ['afterwards']);
    });
    expect(await written()).toEqual(['afterwards', 'one']);
  });

  it('takes in a client that it was given', async () => {
    await scopes.run(async () => {
      const client = await notes.db.get();
      await failureOf(
        notes.within(async () => {
          await client.query(WRITE, ['one']);
          throw new Error('no');
        }),
      );
    });
    expect(await written()).toEqual([]);
  });

  it('does not mix with another at the same time: the one that fails takes nothing of the other with it', async () => {
    await scopes.run(async () => {
      const outcomes = await Promise.allSettled([
        notes.all('one', 'two'),
        notes.fails('three'),
        notes.all('four'),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });
    expect(await written()).toEqual(['four', 'one', 'two']);
  });

  it('lets nothing of a straggler stay when it is rolled back', async () => {
    await scopes.run(async () => {
      await failureOf(notes.straggles());
      stage.open('straggler');
      expect(await notes.late).toBeInstanceOf(Error);
    });
    expect(await written()).toEqual([]);
  });

  it('has nothing for code that runs on after it', async () => {
    await scopes.run(async () => {
      await notes.forgets();
      stage.open('forgotten');
      expect(await notes.late).toBeInstanceOf(TransactionOverError);
    });
  });

  it('is refused an Observable or a stream, which would outlive it', async () => {
    await expect(notes.observable()).rejects.toThrow(/has returned an Observable/);
    expect(await written()).toEqual([]);
  });

  it('belongs to an object that NestJS has made', async () => {
    const alone = new Notes(notes.db, stage);
    await expect(alone.all('one')).rejects.toThrow(
      /all\(\) was called on an object that NestJS has not made/,
    );
  });

  it.each(['above', 'below'])('may be that of a route, whichever decorator stands first (%s)', async path => {
    expect(await new Call(`${running.url}/${path}`).answer()).toMatchObject({ status: 200, body: 'done' });
    expect(await written()).toEqual([path]);
    expect(Reflect.getMetadata('marked', NotesController.prototype.below)).toBe(true);
  });
});

describe('on a pool of one', () => {
  const small = async (work: () => Promise<unknown>): Promise<unknown> => {
    pool.resize({ max: 1 });
    return scopes.run(work);
  };

  it('two side by side wait for each other, and are no deadlock', async () => {
    await small(() => Promise.all([notes.all('one'), notes.all('two')]));
    expect(await written()).toEqual(['one', 'two']);
  });

  it('one that wants another within itself is told at once that it would wait in vain', async () => {
    const error = await failureOf(small(() => notes.within(() => notes.apart(() => notes.where()))));
    expect((error as { code?: unknown }).code).toBe('POOL_DEADLOCK');
  });

  it('so is one beside what its scope has', async () => {
    const error = await failureOf(
      small(async () => {
        await notes.where();
        await notes.within(() => notes.apart(() => notes.where()));
      }),
    );
    expect((error as { code?: unknown }).code).toBe('POOL_DEADLOCK');
  });
});

describe('propagation', () => {
  const inOne = (work: () => Promise<Where>): Promise<Where[]> =>
    notes.within(async () => [await notes.where(), await work()]);

  it('REQUIRED and SUPPORTS and MANDATORY join, and so does one that only reads', async () => {
    for (const work of [
      () => notes.within(() => notes.where()),
      () => notes.supports(),
      () => notes.mandatory(),
      () => notes.reads(),
    ]) {
      const [outer, inner] = await inOne(work);
      expect(inner).toEqual(outer);
    }
  });

  it.each([
    ['REQUIRES_NEW', () => notes.apart(() => notes.where())],
    ['NOT_SUPPORTED', () => notes.notSupported()],
  ] as [Propagation, () => Promise<Where>][])('%s is apart, on another connection', async (_, work) => {
    const [outer, inner] = await inOne(work);
    expect(inner!.pid).not.toBe(outer!.pid);
  });

  it('REQUIRES_NEW stays when the outer one is rolled back', async () => {
    await failureOf(
      notes.within(async () => {
        await notes.write('outer');
        await notes.apart(() => notes.write('new'));
        throw new Error('no');
      }),
    );
    expect(await written()).toEqual(['new']);
  });

  it('NESTED can be rolled back by itself, and is rolled back with the outer one', async () => {
    await notes.within(async () => {
      await notes.write('outer');
      await failureOf(
        notes.nested(async () => {
          await notes.write('inner');
          throw new Error('no');
        }),
      );
      await notes.nested(() => notes.write('second'));
    });
    expect(await written()).toEqual(['outer', 'second']);
    await failureOf(
      notes.within(async () => {
        await notes.nested(() => notes.write('third'));
        throw new Error('no');
      }),
    );
    expect(await written()).toEqual(['outer', 'second']);
    await notes.nested(() => notes.write('alone'));
    expect(await written()).toEqual(['alone', 'outer', 'second']);
  });

  it('MANDATORY and NEVER refuse', async () => {
    await expect(notes.mandatory()).rejects.toThrow(TransactionRefusedError);
    await expect(notes.within(() => notes.never())).rejects.toThrow(/there must NEVER be one here/);
    expect((await notes.never()).pid).toBeGreaterThan(0);
  });

  it('refuses to join one of another isolation', async () => {
    expect(await notes.serializable()).toEqual({ i: 'serializable', r: 'on' });
    await expect(notes.within(() => notes.serializable())).rejects.toThrow(
      /isolation 'serializable' is wanted/,
    );
  });

  it('knows the transaction of the request', async () => {
    const answer = JSON.parse((await new Call(`${running.url}/joins`).answer()).body) as {
      same: boolean;
      apart: Where[];
    };
    expect(answer).toMatchObject({ same: true, rolledBack: 'Error: nested' });
    expect(answer.apart).toHaveLength(2);
    expect(await written()).toEqual(['kept']);
  });
});

describe('retry', () => {
  it('tries a serialization failure again, as often as it is told', async () => {
    const both = ['first', 'second'].map(step => notes.increment(step));
    await Promise.all([stage.reached('first'), stage.reached('second')]);
    stage.open('first has read', 'second has read');
    await Promise.all(both);
    expect(await counted()).toBe(2);
  });

  it('is off by default', async () => {
    const both = ['first', 'second'].map(step => notes.incrementOnce(step));
    await Promise.all([stage.reached('first has read'), stage.reached('second has read')]);
    stage.open('first has read', 'second has read');
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await counted()).toBe(1);
  });

  it('is not for who has been answered, or has left', async () => {
    expect(await new Call(`${running.url}/answered`).answer()).toMatchObject({ status: 200, body: 'done' });
    await stage.reached('tried');
    const call = new Call(`${running.url}/leaves`);
    await stage.reached('waits');
    call.leave();
    await stage.reached('left');
    await until(
      () => pool.stats().leased,
      leased => leased === 0,
    );
    expect(tries).toEqual(['answered', 'leaves']);
  });

  it('ends with the last error, and is not for one that has joined another', async () => {
    const tried: unknown[] = [];
    await expect(notes.attempts(tried)).rejects.toThrow('again');
    expect(tried).toHaveLength(3);
    await expect(notes.within(() => notes.attempts(tried))).rejects.toThrow('again');
    expect(tried).toHaveLength(4);
    expect(await written()).toEqual([]);
  });
});

describe('Borrowed', () => {
  it('begins a transaction for a block, which is rolled back at its end unless it was committed', async () => {
    await scopes.run(async () => {
      {
        await using tx = await notes.db.begin({ isolation: 'repeatable read' });
        await tx.resource.query(WRITE, ['one']);
      }
      await using tx = await notes.db.begin();
      await tx.resource.query(WRITE, ['two']);
      expect((await notes.where()).pid).not.toBe((await tx.resource.query<Where>(WHERE)).rows[0]!.pid);
      await tx.commit();
    });
    expect(await written()).toEqual(['two']);
  });

  it('runs work in a transaction', async () => {
    const db = running.app.get<Borrowed<Client>>(getBorrowedToken('db'), { strict: false });
    await scopes.run(async () => {
      const same = await db.transaction(async client => {
        await notes.write('one');
        const { rows } = await client.query<Where>(WHERE);
        return (await notes.where()).tx === rows[0]!.tx;
      });
      expect(same).toBe(true);
      await expect(
        db.transaction(client =>
          client.query('insert into notes values (1)').then(() => Promise.reject(new Error('no'))),
        ),
      ).rejects.toThrow('no');
    });
    expect(await written()).toEqual(['one']);
  });
});

describe('what is wrong is told', () => {
  it.each([
    [() => Transactional('db', { propagation: 'OFTEN' as never }), /propagation must be one of REQUIRED/],
    [() => Transactional('db', { isolation: 'snapshot' as never }), /isolation must be one of/],
    [() => Transactional('db', { retry: { attempts: 0 } }), /retry must be/],
    [() => Borrow('db', { transaction: { readOnly: 1 as never } }), /readOnly must be true or false/],
    [() => Borrow('db', { transaction: 'yes' as never }), /transaction must be true, or/],
    [() => Borrow('db', { transaction: true, fresh: true }), /not on a fresh resource/],
  ] as [() => unknown, RegExp][])('where it is written: %s', (write, message) => {
    expect(write).toThrow(message);
  });

  it('at start-up: a pool that there is not, or that has no transactions', async () => {
    @Injectable()
    class Unknown {
      @Transactional('nowhere') async work(): Promise<void> {}
    }
    @Controller()
    class Plain {
      @Get() find(@Borrow('plain', { transaction: true }) _: unknown): void {}
    }
    const plain = { name: 'plain', create: () => ({}) };
    const start = (metadata: object): Promise<unknown> =>
      failureOf(serve('fastify', { imports: [PoolModule.forRoot({ pools: [plain] })], ...metadata }));
    expect(await start({ providers: [Unknown] })).toBeInstanceOf(UnknownPoolError);
    expect(String(await start({ controllers: [Plain] }))).toContain('its factory has no begin()');
  });
});
