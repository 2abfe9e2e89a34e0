import { describe, expect, it } from '@jest/globals';
import { Traces, leavesNoTrace } from '../../src/resources/pg/statements.js';

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

  it.each([
    `select count(*), coalesce(max(a), 0), "lower"('A'), pg_catalog.now() from t where a in (1) and (b or (c))`,
    'insert into t (a, b) values ($1, $2) on conflict (a) do update set (a, b) = (1, 2) returning (a)',
    'insert into "t" ("a") values (1)',
    'insert into app."t" as x (a) select 1 from (select 1) y (z) where exists (select 1)',
    'with x(a) as (select 1), y (b, c) as materialized (select 1, 2) select * from x join y on (a = b)',
    'with recursive x(n) as (values (1)) select * from x',
    "select a::numeric(10, 2), cast(b as money_of_mine(3)), c::mine(4), interval(3) '1', extract(year from d) from t",
    'select sum(a) filter (where b) over (partition by (c) order by (d)) from t group by rollup (a), grouping sets ((b))',
    'select distinct on (a) b, count(distinct c) over (partition by d) from t',
    'select percentile_cont(0.5) within group (order by a) from t',
    'select * from unnest($1::int[]) with ordinality as u(a, n), lateral (select 1) v (b)',
    'select * from json_to_recordset($1) as r(a int, b text)',
    "insert into notes values ('call me (maybe), it''s f(x)')",
    'select $$f(1)$$, $a$ f(2) $a$ from t where a = any($1)',
    'select 1 -- why (and how)\n/* f(x) */ from t',
    'select pg_advisory_xact_lock(hashtext($1))',
    'select case when (a) then (b) else (c) end from t where a between (1) and (2) and b like (c) and not (d)',
    'delete from t using (select 1) u where current_timestamp(3) > b',
    'select nextval($1), currval($1), gen_random_uuid(), random()',
    'select a[(1)], -(b), (c)::text from only (t) tablesample bernoulli (10) repeatable (1) limit (1) offset (2)',
    'merge into t using u on (t.a = u.a) when matched and (b) then update set (a) = (1) when not matched then insert (a) values (1)',
  ])('nothing, as it calls nothing but functions that are known: %s', text => {
    expect(leavesNoTrace(text)).toBe(true);
  });

  it.each([
    'select f()',
    'SELECT F (1)',
    'select "f"()',
    'select "Now"()',
    'select "in"(1)',
    'select "a""now"()',
    'select app.now()',
    'select app.f(1)',
    'select "app"."f"(1)',
    'select "a"" pg_catalog".now()',
    'select 1 from f() as x(a)',
    'select f\n\t(1)',
    'select f/* in */(1)',
    'select f -- in\n(1)',
    'select -- as\n f(1)',
    `select '--', f()`,
    `select 'it''s', f()`,
    `select E'\\'', f('')`,
    'select $1, f($1)',
    'select a$b$(1), $b$',
    'select distinct on (a) f(b) from t',
    'select a, f(b) as (c int) from t',
    'select a[1:f(2)] from t',
    'values (1), (f(2))',
    'insert into t (a) values (f(1))',
    'select é(1)',
    'select setseed(0.5)',
    'select lo_open(1, 2)',
    'select dblink_connect($1)',
    'select query_to_xml($1, true, true, $2)',
    'select filter(1)',
  ])('perhaps something, as it calls what is not known: %s', text => {
    expect(leavesNoTrace(text)).toBe(false);
  });

  it('is what was declared, for functions by name, by schema and by how they begin', () => {
    const traces = new Traces(['f', 'app.g', 'st_*', 'gis.*', 'Mixed']);
    const none = [
      'f(1)',
      'F(1)',
      'app.g(1)',
      '"app"."g"(1)',
      'ST_Within(1)',
      'gis.any_of_them(1)',
      '"Mixed"(1)',
    ];
    for (const call of none) expect([call, traces.none(`select ${call}`)]).toEqual([call, true]);
    const some = ['app.f(1)', 'g(1)', 'mixed(1)', 'Mixed(1)', 'app.st_within(1)', 'stx(1)', 'f(h(1))'];
    for (const call of some) expect([call, traces.none(`select ${call}`)]).toEqual([call, false]);
  });

  it('is told of texts that were told apart before, and of more than are remembered', () => {
    const traces = new Traces();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_200; i++) {
        expect(traces.none(`select ${i}`)).toBe(true);
        expect(traces.none(`select f(${i})`)).toBe(false);
      }
    }
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
      'f(',
      'f (1) f (1)',
      ')f(',
      'a.',
      '"(',
      '"a""',
      ',y(',
      ',y(b) as (',
      ' (',
      '$a$ (',
      "'(",
      '(select 1) v (a)',
      'now(now)',
      'distinct ',
    ];
    for (const unit of units) {
      const repeated = unit.repeat(1_000_000 / unit.length);
      for (const text of [
        repeated,
        `select '${repeated}'`,
        `select 'temp ${repeated}\n'`,
        `select ${repeated}(`,
      ])
        leavesNoTrace(text);
    }
  });
});
