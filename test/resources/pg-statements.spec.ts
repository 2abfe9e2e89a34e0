import { describe, expect, it } from '@jest/globals';
import { leavesNoTrace } from '../../src/resources/pg/statements.js';

describe('what a statement leaves behind in its session', () => {
  it.each([
    'select 1',
    '  SELECT * FROM orders WHERE id = $1',
    '(select 1) union (select 2)',
    '( /* a */ ( select 1) )',
    'with a as (select 1) insert into b select * from a',
    'values (1)',
    'table orders',
    'insert into readings (temp, temporary) values ($1, $2)',
    'select temp from readings',
    "select 'set x = 1'",
    "update notes set body = 'a;select b'",
    'delete from orders',
    "insert into notes values ('temp')",
    'START /* a */ TRANSACTION',
    '/* a /* nested */ comment */ select 1',
    'merge into a using b on true when matched then delete',
    'begin',
    'BEGIN ISOLATION LEVEL SERIALIZABLE',
    'start transaction read only',
    'commit',
    'rollback to savepoint a',
    'savepoint a',
    'release savepoint a',
    'set local search_path = a',
    'set transaction isolation level repeatable read',
    'set constraints all deferred',
    "notify channel, 'payload'",
    'select pg_advisory_xact_lock(1)',
    'begin; insert into a values (1); commit;',
    '-- why, and how\nselect 1',
    '/* a * b / c */ select 1',
    'select 1; -- done',
    'select 1 /*traceparent=00-1*/',
    '',
    ' ; ',
  ])('nothing: %s', text => {
    expect(leavesNoTrace(text)).toBe(true);
  });

  it.each([
    'set search_path = a',
    'SET SESSION search_path = a',
    'reset all',
    'listen a',
    'prepare a as select 1',
    'create temp table a (b int)',
    'create table a (b int)',
    'do $$ begin end $$',
    'call a()',
    'copy a from stdin',
    'declare a cursor with hold for select 1',
    'explain analyze execute a',
    'discard plans',
    "select set_config('a.b', 'c', false)",
    `select pg_catalog."set_config"('a.b', 'c', false)`,
    `select u&"\\0073et_config"('a.b', 'c', false)`,
    `update pg_settings set setting = 'a' where name = 'search_path'`,
    'select pg_advisory_lock(1)',
    'select PG_TRY_ADVISORY_LOCK_SHARED(1)',
    'select 1 into temp a',
    'select 1 into temporary table a',
    'select 1 into local temp a',
    'select 1 into /* a */ -- b\n temp a',
    'select 1 into pg_temp.a',
    'select 1 into /* /* */ */ temp a',
    "select 'into --', 1 into temp a",
    'select 1; set a.b = 1',
    'begin; set a.b = 1; commit',
    'set local a.b = 1; set a.b = 1',
    'selects 1',
    '-- a; select 1\nset a.b = 1',
    '-- a\rset a.b = 1',
    '/* ; select 1 */ set a.b = 1',
    '/* /* */ select 1 */ set a.b = 1',
    '/* select 1 */set a.b = 1',
    `select 'a; select 1 --'; set a.b = 1`,
    '\u00a0select 1',
  ])('perhaps something: %s', text => {
    expect(leavesNoTrace(text)).toBe(false);
  });

  it('is told in time that grows with the text, and no faster', () => {
    const units = [
      'into--',
      'into /*x',
      'into \t',
      'into temp',
      'x',
      '(',
      '/*',
      '--',
      ';',
      'into/**/',
      'into--\n',
    ];
    for (const unit of units) {
      const repeated = unit.repeat(1_000_000 / unit.length);
      for (const text of [repeated, `select '${repeated}'`, `select 'temp ${repeated}\n'`])
        leavesNoTrace(text);
    }
  });
});
