// Who sees what of whoever had it before, counted: objects in a pool with and without `reset`, and sessions of PostgreSQL.
import { setImmediate } from 'node:timers/promises';
import { Pool } from '../../dist/lib/engine/index.js';
import { pgPool } from '../../dist/lib/resources/pg.js';
import { inTurns } from '../measure.mjs';
import { launchPostgres } from '../postgres.mjs';
import { median } from '../statistics.mjs';
import { table } from './print.mjs';

const USERS = 1_000;
const SESSION_USERS = 200;

export default async function run() {
  await objects();
  const postgres = await launchPostgres();
  try {
    await sessions(postgres.url);
  } finally {
    await postgres.close();
  }
}

async function objects() {
  const fresh = () => ({ user: undefined, items: [], coupon: undefined });
  const resets = {
    'no reset': undefined,
    'a reset that forgets one field': cart => void ((cart.user = undefined), (cart.items.length = 0)),
    'a reset of all fields': cart => void ((cart.user = cart.coupon = undefined), (cart.items.length = 0)),
  };
  const rows = [];
  for (const [name, reset] of Object.entries(resets)) {
    const pool = new Pool({ create: fresh, ...(reset && { reset }), max: 4 });
    rows.push([name, await countSeen(work => pool.use(work))]);
    await pool.close();
  }
  rows.push(['made anew', await countSeen(work => work(fresh()))]);
  console.log(`\n${USERS} users, 16 at a time, of a pool of 4 carts.`);
  table(['cart', "users who found somebody else's data"], rows);
}

async function countSeen(lend) {
  let user = 0;
  let seen = 0;
  const caller = async () => {
    while (user < USERS) {
      const me = ++user;
      await lend(async cart => {
        if (cart.user !== undefined || cart.items.length > 0 || cart.coupon !== undefined) seen++;
        cart.user = me;
        cart.items.push(`item of ${me}`);
        cart.coupon = `coupon of ${me}`;
        await setImmediate();
      });
    }
  };
  await Promise.all(Array.from({ length: 16 }, caller));
  return seen;
}

/** What a user looks for when it comes, one column each. */
const LOOK = `
  select coalesce(current_setting('app.tenant', true), '') <> '' as setting,
         coalesce(current_setting('app.inside', true), '') <> '' as inside,
         exists (select from pg_class where relname = 'basket' and relpersistence = 't'
                 and relnamespace = pg_my_temp_schema()) as "table",
         exists (select from pg_listening_channels()) as listen`;

/** What it leaves behind, beside what it looked for. */
const LEAVE = {
  setting: me => `set app.tenant = 'tenant ${me}'`,
  table: () => 'create temp table if not exists basket (item text)',
  listen: me => `listen user_${me}`,
  inside: () => 'select remember()',
};

async function sessions(connectionString) {
  const setUp = new Pool(pgPool({ connectionString, max: 1 }));
  await setUp.use(client =>
    client.query(
      `create function remember() returns void language plpgsql as $$ begin set app.inside = 'somebody'; end $$`,
    ),
  );
  await setUp.close();

  const rows = [];
  for (const sessionReset of ['never', 'auto', 'always']) {
    const cells = [`sessionReset: '${sessionReset}'`];
    // One kind at a time: a reset for one of them takes the others away as well.
    for (const kind of Object.keys(LEAVE)) {
      const pool = new Pool(pgPool({ connectionString, max: 1, sessionReset }));
      let seen = 0;
      for (let me = 1; me <= SESSION_USERS; me++) {
        await pool.use(async client => {
          const { rows } = await client.query(LOOK);
          if (rows[0][kind]) seen++;
          await client.query(LEAVE[kind](me));
        });
      }
      cells.push(seen);
      await pool.close();
    }
    rows.push(cells);
  }
  console.log(
    `\n${SESSION_USERS} users of one PostgreSQL session, one after the other: who finds the traces of another?`,
  );
  table(['', 'SET', 'temporary table', 'LISTEN', 'SET inside of a function'], rows);

  await costs(connectionString);
}

async function costs(connectionString) {
  const pools = [];
  const pool = options => {
    pools.push(new Pool(pgPool({ connectionString, max: 1, ...options })));
    return pools.at(-1);
  };
  const contenders = {};
  for (const sessionReset of ['never', 'auto', 'always']) {
    const one = pool({ sessionReset });
    for (const sql of ['select 1', 'set app.tenant = 1']) {
      contenders[`${sessionReset} ${sql}`] = () => each(one, sql, 200);
    }
  }
  const anew = pool({ maxUses: 1 });
  contenders.anew = () => each(anew, 'select 1', 10);
  const ns = await inTurns(contenders, 9, 3);
  await Promise.all(pools.map(one => one.close()));

  const cell = name => median(ns[name]).toFixed(0);
  console.log(
    '\nWhat a borrow with one statement takes by the clock, one after the other; medians of 9 rounds in turns.',
  );
  table(
    ['', 'SELECT 1, µs', 'SET, µs'],
    [
      ...['never', 'auto', 'always'].map(mode => [
        `sessionReset: '${mode}'`,
        cell(`${mode} select 1`),
        cell(`${mode} set app.tenant = 1`),
      ]),
      ['a connection for each borrow', cell('anew'), ''],
    ],
  );
}

/** Microseconds by the clock for each. */
async function each(pool, sql, times) {
  const began = performance.now();
  for (let i = 0; i < times; i++) await pool.use(client => client.query(sql));
  return ((performance.now() - began) * 1_000) / times;
}
