// The storm at its full length: `npm run storm`. Exits with 1 when anything does not add up.
import { PLATFORMS, type Platform } from '../support/nest-app.js';
import { launchPostgres } from '../support/postgres.js';
import { checkHeap, heapUsed } from './heap.js';
import { describeRound } from './report.js';
import { Storm } from './storm.js';

const REQUESTS = setting('STORM_REQUESTS', 3_500);
const ROUNDS = setting('STORM_ROUNDS', 4);
const SEED = setting('STORM_SEED', Math.floor(Math.random() * 1_000_000));

async function main(): Promise<string[]> {
  console.log(`STORM_SEED=${SEED} STORM_ROUNDS=${ROUNDS} STORM_REQUESTS=${REQUESTS} npm run storm`);
  const postgres = await launchPostgres();
  try {
    const findings: string[] = [];
    for (const platform of PLATFORMS) findings.push(...(await over(platform, postgres)));
    return findings;
  } finally {
    await postgres.close();
  }
}

async function over(
  platform: Platform,
  postgres: Awaited<ReturnType<typeof launchPostgres>>,
): Promise<string[]> {
  const findings: string[] = [];
  const heaps: number[] = [];
  const listeners: number[] = [];
  await using storm = await Storm.over(platform, postgres);
  for (let i = 1; i <= ROUNDS; i++) {
    const round = await storm.round({ requests: REQUESTS, seed: SEED + 1_000 * i });
    const heap = await heapUsed();
    heaps.push(heap);
    listeners.push(round.listeners);
    console.log(`\n${describeRound(`${platform}, round ${i} of ${ROUNDS}`, round, heap)}`);
    findings.push(...round.findings.map(finding => `${platform}, round ${i}: ${finding}`));
  }
  findings.push(...checkHeap(heaps, REQUESTS).map(finding => `${platform}: ${finding}`));
  if (new Set(listeners).size > 1) {
    findings.push(
      `${platform}: the number of listeners is not the same after each round: ${listeners.join(', ')}`,
    );
  }
  return findings;
}

function setting(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a whole number of 1 or more`);
  return value;
}

process.on('unhandledRejection', error => {
  console.error('\nA rejection that nobody handles:', error);
  process.exit(1);
});

main().then(
  findings => {
    if (findings.length === 0) console.log('\nEverything is back where it belongs.');
    else console.error(`\nFAILED with STORM_SEED=${SEED}:\n${findings.join('\n')}`);
    process.exit(findings.length === 0 ? 0 : 1);
  },
  (error: unknown) => {
    console.error(`\nFAILED with STORM_SEED=${SEED}:`, error);
    process.exit(1);
  },
);
