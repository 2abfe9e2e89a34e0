import { describe, expect, it } from '@jest/globals';
import { boundariesOf } from '../../src/resources/pg/transaction-statements.js';

describe('the statements that begin or end a transaction', () => {
  it.each([
    ['begin', ['begin']],
    ['  BEGIN ISOLATION LEVEL SERIALIZABLE;', ['begin']],
    ['start transaction read only', ['begin']],
    ['start /* a */ transaction', ['begin']],
    ['-- why\nbegin', ['begin']],
    ['/* /* nested */ */ begin', ['begin']],
    ['; ; begin', ['begin']],
    ['commit', ['commit']],
    ['END', ['commit']],
    ['commit and chain', ['commit']],
    ["prepare transaction 'a'", ['commit']],
    ['rollback', ['rollback']],
    ['rollback work', ['rollback']],
    ['abort transaction', ['rollback']],
    ['begin; insert into a values (1); commit', ['begin', 'commit']],
    ["select 'a'; commit; begin", ['commit', 'begin']],
    [`select $$;$$; commit`, ['commit']],
    [String.raw`select E'\';begin'; commit`, ['commit']],
    [String.raw`select 'ends with \'; commit`, ['commit']],
    [`select "a;begin", 'it''s; begin'; rollback`, ['rollback']],
    ['select $1; commit', ['commit']],
    ['select a$b$c from t; commit', ['commit']],
  ])('are found: %s', (text, expected) => {
    expect(boundariesOf(text)).toEqual(expected);
  });

  it.each([
    '',
    'select 1',
    'rollback to a',
    'rollback to savepoint a',
    'rollback work to savepoint a',
    "rollback prepared 'a'",
    "commit prepared 'a'",
    'savepoint begin',
    'prepare a as select 1',
    'beginning',
    'do $$ begin perform 1; end $$',
    'do $do$ begin; commit; end $do$',
    "create function a() returns int language plpgsql as 'begin; return 1; end'",
    'create function a() returns int begin atomic select 1; select 2; end',
    'create or replace procedure a() language sql BEGIN ATOMIC delete from b; END;',
    "select 'a;begin'",
    'select 1 -- ;\n; select "begin"',
    '/* ; begin; */ select 1',
    "select case when a then b end; select 'commit'",
    "select 'open; begin",
    'select $a$ open; begin',
    '/* open; begin',
    '-- begin',
  ])('are not to be seen where there are none: %s', text => {
    expect(boundariesOf(text)).toEqual([]);
  });

  it('are found in time that grows with the text, and no faster', () => {
    const hostile = [
      'begin;',
      "'",
      '$a$',
      '/*',
      'create;begin atomic',
      'start ',
      "E'\\'",
      'start--\n',
      'end ',
    ];
    for (const unit of hostile) boundariesOf(`commit; select ${unit.repeat(1_000_000 / unit.length)}`);
  });
});
