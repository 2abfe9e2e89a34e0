// Drizzle and TypeORM on a pool of ours beside pg.Pool, on a PostgreSQL of our own. All in one run:
//
//   npm run build && node bench/orm.mjs [ROUNDS]
//
// Rounds alternate between both pools, and ratios are taken within a round: what the machine does meanwhile concerns both.
// Numbers are medians over the rounds. Work is a select by primary key, a transaction of two statements, and the same with
// an insert that violates a unique constraint in one of a hundred statements.
import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import { startPostgres } from 'local-postgres';
import pg from 'pg';
import { DataSource, EntitySchema } from 'typeorm';
import { Pool } from '../dist/lib/engine/index.js';
import { pgFacade, pgPool } from '../dist/lib/resources/pg.js';
import { rate } from './rate.mjs';
import { median } from './statistics.mjs';

const ROUNDS = Number(process.argv[2] ?? 15);
const ROUND_MS = Number(process.env.ROUND_MS ?? 1_000);
const CONNECTIONS = 10;
const CALLERS = 20;
const ROWS = 1_000;
/** One statement of so many fails, in the workload that has failures. */
const FAILS = 100;

const server = await startPostgres();
const admin = new pg.Client(server.url);
await admin.connect();
await admin.query(`
  create table items (id int primary key, name text not null unique, stock int not null);
  insert into items select i, 'item ' || i, 0 from generate_series(1, ${ROWS}) i`);

const config = { connectionString: server.url, max: CONNECTIONS };
const theirs = new pg.Pool(config);
theirs.on('error', () => {});
const ours = new Pool(pgPool(config));
const pools = { 'pg.Pool': theirs, facade: pgFacade(ours) };

/** Who fails is not asked: each library has an error of its own for it. */
const failing = work => work.then(fail, () => undefined);
function fail() {
  throw new Error('this should have violated a constraint');
}

const libraries = { Drizzle: drizzleWork, TypeORM: await typeormModule() };

function drizzleWork(pool) {
  const items = pgTable('items', { id: integer().primaryKey(), name: text(), stock: integer() });
  const db = drizzle({ client: pool });
  return {
    select: id => db.select().from(items).where(eq(items.id, id)),
    transaction: id =>
      db.transaction(async tx => {
        const [item] = await tx.select().from(items).where(eq(items.id, id));
        await tx
          .update(items)
          .set({ stock: item.stock + 1 })
          .where(eq(items.id, id));
      }),
    violate: id => failing(db.insert(items).values({ id, name: 'again', stock: 0 }).execute()),
  };
}

async function typeormModule() {
  const items = new EntitySchema({
    name: 'items',
    columns: { id: { type: Number, primary: true }, name: { type: String }, stock: { type: Number } },
  });
  const of = async pool => {
    const Facade = function () {
      return pool;
    };
    const source = new DataSource({
      type: 'postgres',
      driver: { ...pg, native: undefined, Pool: Facade },
      entities: [items],
    });
    await source.initialize();
    const { manager } = source;
    return {
      select: id => manager.findOneBy(items, { id }),
      transaction: id =>
        manager.transaction(async tx => {
          const { stock } = await tx.findOneByOrFail(items, { id });
          await tx.update(items, { id }, { stock: stock + 1 });
        }),
      violate: id => failing(manager.insert(items, { id, name: 'again', stock: 0 })),
    };
  };
  const made = new Map();
  for (const pool of Object.values(pools)) made.set(pool, await of(pool));
  return pool => made.get(pool);
}

let counter = 0;
/** Neighbours in time are not neighbours in the table: callers do not wait for each other's rows. */
const nextId = () => ((counter++ * 7) % ROWS) + 1;

const workloads = {
  'select by primary key': work => work.select(nextId()),
  'transaction of two statements': work => work.transaction(nextId()),
  '1 % of the statements fail': work => {
    const id = nextId();
    return counter % FAILS === 0 ? work.violate(id) : work.select(id);
  },
};

for (const [library, on] of Object.entries(libraries)) {
  const works = Object.fromEntries(Object.entries(pools).map(([name, pool]) => [name, on(pool)]));
  for (const [workload, call] of Object.entries(workloads)) {
    const names = Object.keys(works);
    const rates = Object.fromEntries(names.map(name => [name, []]));
    for (const name of names) await rate(() => call(works[name]), CALLERS, 500);
    for (let round = 0; round < ROUNDS; round++) {
      // Who comes second finds the machine as the first has left it.
      for (const name of round % 2 ? names : names.toReversed()) {
        rates[name].push(await rate(() => call(works[name]), CALLERS, ROUND_MS));
      }
    }
    const [reference, facade] = names.map(name => rates[name].map(({ perSecond }) => perSecond));
    const ratios = facade.map((value, i) => value / reference[i]);
    const byCpu = rates.facade.map(({ perCpuSecond }, i) => perCpuSecond / rates['pg.Pool'][i].perCpuSecond);
    console.log(
      `${library}, ${workload}: pg.Pool ${Math.round(median(reference))}/s, facade ${Math.round(median(facade))}/s, ` +
        `ratio ${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)} of ${ROUNDS} rounds), ${median(byCpu).toFixed(3)} by CPU time`,
    );
  }
}

await Promise.all([theirs.end(), ours.close(), admin.end()]);
await server.close();
