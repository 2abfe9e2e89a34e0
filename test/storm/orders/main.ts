import { launchPostgres } from '../../support/postgres.js';
import { OrdersStorm, type OrdersRound } from './storm.js';

const ROUNDS = setting('STORM_ROUNDS', 1);
const ORDERS = setting('STORM_ORDERS', 2_000);
const SEED = setting('STORM_SEED', Math.floor(Math.random() * 1_000_000));

async function main(): Promise<string[]> {
  console.log(`STORM_SEED=${SEED} STORM_ROUNDS=${ROUNDS} STORM_ORDERS=${ORDERS} npm run storm:orders`);
  const findings: string[] = [];
  const postgres = await launchPostgres();
  try {
    await using storm = await OrdersStorm.over(postgres);
    for (let i = 1; i <= ROUNDS; i++) {
      const round = await storm.round({ orders: ORDERS, seed: SEED + 1_000 * (i - 1), restartEvery: 500 });
      console.log(describe(`round ${i} of ${ROUNDS}`, round));
      findings.push(...round.findings.map(finding => `round ${i}: ${finding}`));
    }
  } finally {
    await postgres.close();
  }
  return findings;
}

function describe(title: string, { fates, damage, seconds }: OrdersRound): string {
  const list = (counts: Iterable<[string, number]>): string =>
    Array.from(counts, ([what, count]) => `${what}: ${count}`).join(', ');
  return [
    `${title}, ${seconds.toFixed(1)} s`,
    `  orders      ${list(fates)}`,
    `  faults      ${list(Object.entries(damage))}`,
  ].join('\n');
}

function setting(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number of 1 or more`);
  return value;
}

main().then(
  findings => {
    if (findings.length === 0) console.log('Stock and sales add up, and everybody was told the truth.');
    else console.error(`\nFAILED with STORM_SEED=${SEED}:\n${findings.join('\n')}`);
    process.exit(findings.length === 0 ? 0 : 1);
  },
  (error: unknown) => {
    console.error(`\nFAILED with STORM_SEED=${SEED}:`, error);
    process.exit(1);
  },
);
