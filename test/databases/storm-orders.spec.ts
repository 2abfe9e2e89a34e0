import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { launchPostgres } from '../support/postgres.js';
import { OrdersStorm } from '../storm/orders/storm.js';

/** `npm run storm:orders` has others, and longer ones. */
const SEEDS = [1, 2];
const ORDERS = 500;
/** Milliseconds; a machine that is busy with other things needs them. */
const LIMIT = 120_000;

let postgres: LocalPostgres;
let storm: OrdersStorm;

beforeAll(async () => {
  postgres = await launchPostgres();
  storm = await OrdersStorm.over(postgres);
});
afterAll(async () => {
  await storm[Symbol.asyncDispose]();
  await postgres.close();
});

it.each(SEEDS)(
  'after a storm of orders stock and sales add up, and everybody was told the truth (seed %i)',
  async seed => {
    const { findings } = await storm.round({ orders: ORDERS, seed, restartEvery: 200 });
    expect(findings).toEqual([]);
  },
  LIMIT,
);
