import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { LocalMariadb } from 'local-mariadb';
import type { RowDataPacket } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { Pool } from '../../../src/engine/index.js';
import { mysqlPool, type MysqlPoolOptions } from '../../../src/resources/mysql.js';
import { MariadbWatch, describeWithMariadb, launchMariadb } from '../../support/mariadb.js';

/** The first value of the first row, or the code of the error. */
async function value(connection: Connection, text: string): Promise<unknown> {
  try {
    const [rows] = await connection.query<RowDataPacket[]>({ sql: text, rowsAsArray: true });
    return (rows[0] as unknown as unknown[] | undefined)?.[0];
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

/** How a borrower leaves something behind, and what the next must see. Their locks are tried by a connection of another. */
const TRACES: Readonly<
  Record<
    string,
    { leave: (connection: Connection) => Promise<unknown>; see: string; fresh: unknown; other?: boolean }
  >
> = {
  'a user variable, by SET': { leave: c => c.query('set @x = 1'), see: 'select @x', fresh: null },
  'a user variable, by SELECT': { leave: c => c.query('select @x := 1'), see: 'select @x', fresh: null },
  'a user variable, by INTO': { leave: c => c.query('select 1 into @x'), see: 'select @x', fresh: null },
  'a user variable, by INTO, executed': {
    leave: c => c.execute('select 1 into @x'),
    see: 'select @x',
    fresh: null,
  },
  'a user variable, by a function': { leave: c => c.query('select sets_x()'), see: 'select @x', fresh: null },
  'a user variable, by a procedure': { leave: c => c.query('call sets_x()'), see: 'select @x', fresh: null },
  'a user variable, by a procedure that fails': {
    leave: c => c.query('call sets_x_and_fails()').catch(() => undefined),
    see: 'select @x',
    fresh: null,
  },
  'a user variable, by a function that fails': {
    leave: c => c.query('select sets_x_and_fails()').catch(() => undefined),
    see: 'select @x',
    fresh: null,
  },
  'a user variable, by an OUT parameter': {
    leave: c => c.query('call gives_out(@x)'),
    see: 'select @x',
    fresh: null,
  },
  'a user variable, by a trigger': {
    leave: c => c.query('insert into triggers values (1)'),
    see: 'select @x',
    fresh: null,
  },
  'a setting': {
    leave: c => c.query('set session max_statement_time = 7'),
    see: 'select @@max_statement_time',
    fresh: 0,
  },
  'the SQL mode, by a function': {
    leave: c => c.query('select sets_mode()'),
    see: "select @@sql_mode = ''",
    fresh: 0,
  },
  'the time zone': {
    leave: c => c.query(`set time_zone = '+03:00'`),
    see: 'select @@time_zone',
    fresh: 'SYSTEM',
  },
  'the isolation of the session': {
    leave: c => c.query('set session transaction isolation level serializable'),
    see: 'select @@tx_isolation',
    fresh: 'REPEATABLE-READ',
  },
  'autocommit off': { leave: c => c.query('set autocommit = 0'), see: 'select @@autocommit', fresh: 1 },
  'a character set': {
    leave: c => c.query('set names latin1'),
    see: 'select @@character_set_client',
    fresh: 'utf8mb4',
  },
  'another database': { leave: c => c.query('use mysql'), see: 'select database()', fresh: 'test' },
  'a temporary table': {
    leave: c => c.query('create temporary table shadow (a int)'),
    see: 'select count(*) from shadow',
    fresh: 7,
  },
  'a temporary table, by SELECT': {
    leave: c => c.query('create temporary table shadow select 1'),
    see: 'select count(*) from shadow',
    fresh: 7,
  },
  'a temporary table, by a procedure': {
    leave: c => c.query('call shadows()'),
    see: 'select count(*) from shadow',
    fresh: 7,
  },
  'a named lock': {
    leave: c => c.query(`select get_lock('one', 0)`),
    see: `select get_lock('one', 0)`,
    fresh: 1,
    other: true,
  },
  'a named lock, by a procedure': {
    leave: c => c.query('call locks()'),
    see: `select get_lock('two', 0)`,
    fresh: 1,
    other: true,
  },
  'locked tables': {
    leave: c => c.query('lock tables plain write'),
    see: 'select count(*) from shadow',
    fresh: 7,
  },
  'an open handler': {
    leave: c => c.query('handler plain open'),
    see: 'handler plain read first',
    fresh: 'ER_UNKNOWN_TABLE',
  },
  'a statement prepared by SQL': {
    leave: c => c.query(`prepare mine from 'select 1'`),
    see: 'execute mine',
    fresh: 'ER_UNKNOWN_STMT_HANDLER',
  },
  'a transaction that is read-only': {
    leave: c => c.query('set transaction read only'),
    see: 'insert into plain values (77, 1)',
    fresh: undefined,
  },
};

describeWithMariadb('what a borrower leaves behind', () => {
  let server: LocalMariadb;
  let watch: MariadbWatch;

  beforeAll(async () => {
    server = await launchMariadb();
    const root = await MariadbWatch.open(server);
    for (const text of [
      'create table shadow (a int)',
      'insert into shadow values (1), (2), (3), (4), (5), (6), (7)',
      'create table plain (a int primary key, b int)',
      'create table triggers (a int)',
      'create trigger sets_x before insert on triggers for each row set @x = 1',
      'create function sets_x() returns int begin set @x = 1; return 1; end',
      `create function sets_x_and_fails() returns int begin set @x = 1; signal sqlstate '45000'; return 1; end`,
      `create function sets_mode() returns int begin set sql_mode = ''; return 1; end`,
      'create procedure sets_x() begin set @x = 1; end',
      `create procedure sets_x_and_fails() begin set @x = 1; signal sqlstate '45000'; end`,
      `create procedure begins_and_fails() begin start transaction; insert into plain values (50, 1); signal sqlstate '45000'; end`,
      'create procedure gives_out(out o int) begin set o = 1; end',
      'create procedure shadows() begin create temporary table shadow (a int); end',
      `create procedure locks() begin do get_lock('two', 0); end`,
    ]) {
      await root.sql(text);
    }
    await root[Symbol.asyncDispose]();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await MariadbWatch.open(server);
  });
  afterEach(() => watch[Symbol.asyncDispose]());

  /** A pool of one, and what its resets have answered: `true` itself when nothing was sent. */
  function watchedPool(options: Partial<MysqlPoolOptions> = {}): {
    pool: Pool<Connection>;
    resets: unknown[];
  } {
    const { factory, ...settings } = mysqlPool({ ...watch.config, max: 1, ...options });
    const resets: unknown[] = [];
    const pool = new Pool({
      ...settings,
      factory: {
        ...factory,
        reset: connection => {
          const answer = factory.reset!(connection);
          resets.push(answer);
          return answer;
        },
      },
    });
    return { pool, resets };
  }

  for (const [name, { leave, see, fresh, other }] of Object.entries(TRACES)) {
    it(`is gone for the next one, and costs no connection: ${name}`, async () => {
      const { pool, resets } = watchedPool();
      await using _ = pool;
      const id = await pool.use(async connection => {
        await leave(connection);
        return connection.threadId;
      });
      await pool.use(async connection => {
        expect(connection.threadId).toBe(id);
        if (!other) expect(await value(connection, see)).toBe(fresh);
      });
      if (other) expect(Object.values((await watch.sql(see))[0]!)).toEqual([fresh]);
      await watch.sql('do release_all_locks()');
      expect(resets[0]).toBeInstanceOf(Promise);
    });
  }

  it('is nothing after plain statements, which costs nothing', async () => {
    const { pool, resets } = watchedPool();
    await using _ = pool;
    for (const leave of [
      (c: Connection) => c.query('select 1'),
      (c: Connection) => c.query('select ? as address', ['somebody@example.org, who said: call me, begin']),
      (c: Connection) => c.execute('select ? as n', [1]),
      (c: Connection) => c.query('insert into plain values (1, 2)'),
      (c: Connection) => c.query('select * from plain for update skip locked'),
      (c: Connection) => c.query('select * from plain lock in share mode'),
      (c: Connection) => c.query('update plain set b = 3'),
      (c: Connection) => c.query('delete from plain'),
      (c: Connection) => c.ping(),
      async (c: Connection) => {
        await c.beginTransaction();
        await c.query('insert into plain values (1, 2)');
        await c.rollback();
      },
    ]) {
      await pool.use(async connection => {
        await leave(connection);
      });
    }
    expect(resets).toEqual(Array.from({ length: 10 }, () => true));
  });

  it('is seen again after a reset, which had ended the tracking', async () => {
    const { pool, resets } = watchedPool();
    await using _ = pool;
    for (let i = 0; i < 3; i++) {
      await pool.use(async connection => {
        expect(await value(connection, 'select 1')).toBe(1);
      });
      await pool.use(async connection => {
        await connection.query('set session max_statement_time = 7');
      });
      await pool.use(async connection => {
        expect(await value(connection, 'select @@max_statement_time')).toBe(0);
      });
    }
    expect(resets.map(answer => answer === true)).toEqual([
      true,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      true,
    ]);
  });

  it('is seen after a reset that the borrower has made', async () => {
    const { pool } = watchedPool();
    await using _ = pool;
    await pool.use(async connection => {
      await connection.reset();
      await connection.query('set session max_statement_time = 7');
    });
    await pool.use(async connection => {
      expect(await value(connection, 'select @@max_statement_time')).toBe(0);
    });
  });

  it('is rolled back when it is a transaction, in every mode', async () => {
    for (const sessionReset of ['auto', 'always', 'never'] as const) {
      await using pool = new Pool(mysqlPool({ ...watch.config, max: 1, sessionReset }));
      const id = await pool.use(async connection => {
        await connection.beginTransaction();
        await connection.query('insert into plain values (9, 9)');
        return connection.threadId;
      });
      expect(await watch.sql('select * from plain where a = 9')).toEqual([]);
      await pool.use(async connection => {
        expect(connection.threadId).toBe(id);
        expect(await value(connection, 'select count(*) from plain where a = 9')).toBe(0);
        expect(await value(connection, 'select @@in_transaction')).toBe(0);
      });
    }
  });

  it('is rolled back when it is a transaction that nothing was heard of, as its procedure has failed', async () => {
    for (const sessionReset of ['auto', 'never'] as const) {
      await using pool = new Pool(mysqlPool({ ...watch.config, max: 1, sessionReset }));
      await pool.use(async connection => {
        await connection.query('call begins_and_fails()').catch(() => undefined);
      });
      await pool.use(async connection => {
        expect(await value(connection, 'select @@in_transaction')).toBe(0);
        expect(await value(connection, 'select count(*) from plain where a = 50')).toBe(0);
      });
    }
  });

  it('stays with never, and goes with always', async () => {
    await using never = new Pool(mysqlPool({ ...watch.config, max: 1, sessionReset: 'never' }));
    await using always = new Pool(mysqlPool({ ...watch.config, max: 1, sessionReset: 'always' }));
    for (const [pool, seen] of [
      [never, 1],
      [always, null],
    ] as const) {
      await pool.use(async connection => {
        await connection.query('set @x = 1');
      });
      await pool.use(async connection => {
        expect(await value(connection, 'select @x')).toBe(seen);
      });
    }
  });

  it('is the database of the pool again, also with always', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1, sessionReset: 'always' }));
    const id = await pool.use(async connection => {
      await connection.query('use mysql');
      return connection.threadId;
    });
    await pool.use(async connection => {
      expect(connection.threadId).toBe(id);
      expect(await value(connection, 'select database()')).toBe('test');
    });
  });

  it('costs the connection when there was no database at first', async () => {
    const { database: _, ...config } = watch.config;
    await using pool = new Pool(mysqlPool({ ...config, max: 1 }));
    await pool.use(async connection => {
      await connection.query('use mysql');
    });
    await pool.use(async connection => {
      expect(await value(connection, 'select database()')).toBeNull();
    });
  });

  it('costs the connection when it is another user', async () => {
    await using pool = new Pool(mysqlPool({ ...watch.config, max: 1 }));
    await pool.use(async connection => {
      await connection.changeUser({ user: 'root' });
      expect(await value(connection, 'select current_user()')).toBe('root@127.0.0.1');
    });
    await pool.use(async connection => {
      expect(await value(connection, 'select current_user()')).toBe(`${watch.user}@127.0.0.1`);
    });
    expect(pool.stats().totals.destroyedBy).toEqual({ 'reset-failed': 1 });
  });

  it('is the character set that the pool has asked for, on both sides', async () => {
    const { pool } = watchedPool({ charset: 'latin1_german1_ci' });
    await using _ = pool;
    await pool.use(async connection => {
      expect(await value(connection, 'select @@collation_connection')).toBe('latin1_german1_ci');
      await connection.query('set names utf8mb4');
    });
    await pool.use(async connection => {
      expect(await value(connection, 'select @@collation_connection')).toBe('latin1_german1_ci');
      expect(await value(connection, `select 'ü'`)).toBe('ü');
      expect(await value(connection, `select hex(cast('ü' as binary))`)).toBe('FC');
    });
  });

  it('is no setting of mysql2: what is put into its configuration goes', async () => {
    const { pool, resets } = watchedPool();
    await using _ = pool;
    await pool.use(async connection => {
      (connection.config as { rowsAsArray?: boolean }).rowsAsArray = true;
      expect((await connection.query('select 1'))[0]).toEqual([[1]]);
    });
    await pool.use(async connection => {
      expect((await connection.query('select 1 as n'))[0]).toEqual([{ n: 1 }]);
    });
    expect(resets[0]).toBe(true);
  });

  it('are prepared statements: those that mysql2 keeps survive as long as there is nothing to reset', async () => {
    const { pool } = watchedPool();
    await using _ = pool;
    const prepared = async (): Promise<number> => watch.count('Com_stmt_prepare');
    const before = await prepared();
    for (let i = 0; i < 3; i++) {
      await pool.use(async connection => {
        expect((await connection.execute('select ? as n', ['a']))[0]).toEqual([{ n: 'a' }]);
      });
    }
    expect((await prepared()) - before).toBe(1);
    await pool.use(async connection => {
      await connection.query('set @x = 1');
    });
    for (let i = 0; i < 3; i++) {
      await pool.use(async connection => {
        expect((await connection.execute('select ? as n', ['b']))[0]).toEqual([{ n: 'b' }]);
        expect((await connection.execute('select ? as m', ['c']))[0]).toEqual([{ m: 'c' }]);
      });
    }
    expect((await prepared()) - before).toBe(3);
  });

  it('is no closed statement that the next one is given', async () => {
    const { pool } = watchedPool();
    await using _ = pool;
    await pool.use(async connection => {
      const statement = await connection.prepare('select ? as n');
      expect((await statement.execute(['a']))[0]).toEqual([{ n: 'a' }]);
      await statement.close();
    });
    await pool.use(async connection => {
      expect((await connection.execute('select ? as n', ['b']))[0]).toEqual([{ n: 'b' }]);
    });
  });

  it('is reset each time where the server does not track', async () => {
    const { pool, resets } = watchedPool({ flags: ['-SESSION_TRACK'] });
    await using _ = pool;
    for (let i = 0; i < 2; i++) {
      await pool.use(async connection => {
        expect(await value(connection, 'select @x')).toBeNull();
        await connection.query('set @x = 1');
      });
    }
    await pool.use(async connection => {
      await connection.query('select 1');
    });
    expect(resets.every(answer => answer instanceof Promise)).toBe(true);
  });
});
