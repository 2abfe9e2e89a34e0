import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { HARMLESS_FUNCTIONS, STILL, VOLATILE } from '../../src/resources/pg/harmless-functions.js';
import { PostgresWatch, launchPostgres } from '../support/postgres.js';

let server: LocalPostgres;
/** Of PostgreSQL's own functions, by name: is it volatile in none of its forms? */
let still: ReadonlyMap<string, boolean>;

beforeAll(async () => {
  server = await launchPostgres();
  await using watch = await PostgresWatch.open(server);
  const rows = await watch.sql<{ name: string; still: boolean }>(
    `select proname as name, bool_and(provolatile <> 'v') as still from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a', 'w') group by proname`,
  );
  still = new Map(rows.map(row => [row.name, row.still]));
});
afterAll(() => server.close());

const words = (text: string): string[] => text.trim().split(/\s+/);

it('the functions that are taken for harmless are known to the server, which calls the first part of them stable', () => {
  expect(words(STILL).filter(name => still.get(name) !== true)).toEqual([]);
  expect(words(VOLATILE).filter(name => still.get(name) !== false)).toEqual([]);
  expect(HARMLESS_FUNCTIONS.size).toBe(words(STILL).length + words(VOLATILE).length);
});

it('none that the server calls volatile and that has to do with sessions is taken for harmless', () => {
  const effects =
    /^(set_config|setseed|lo_|lo(read|write)|pg_(try_)?advisory_lock|pg_export_snapshot|pg_reload_conf|pg_replication_origin|query_to|cursor_to|ts_(stat|rewrite)|binary_upgrade|pg_stat_reset|dblink)/;
  const those = [...still.keys()].filter(name => effects.test(name));
  expect(those.length).toBeGreaterThan(30);
  expect(those.filter(name => HARMLESS_FUNCTIONS.has(name))).toEqual([]);
});
