// What idle buffers hold: fifty of 4 MB, all of which are in use once.
import { Buffer } from 'node:buffer';
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from '../../dist/lib/cheap.js';
import { Pool } from '../../dist/lib/engine/index.js';
import { table, told } from './print.mjs';

const MB = 2 ** 20;
const SIZE = 4 * MB;
const MANY = 50;
const IDLE_TIMEOUT = 500;

const rows = [];

export default async function run() {
  // Once before, so that code and libraries are there already.
  await inUse(Array.from({ length: 2 }, make));
  await step('before');
  await whenNeeded();
  await pooled();
  await bounded();
  console.log('\nMegabytes, after a garbage collection but where it says otherwise.');
  table(['', 'heap', 'external', 'array buffers', 'RSS'], rows);
  await underSmallLoad();
}

async function whenNeeded() {
  const buffers = Array.from({ length: MANY }, make);
  await inUse(buffers);
  await step('made when needed: all in use');
  buffers.length = 0;
  await step('made when needed: nobody uses any');
}

async function pooled() {
  const pool = new Pool({ create: make, max: MANY, idleTimeout: IDLE_TIMEOUT });
  const leases = await Promise.all(Array.from({ length: MANY }, () => pool.acquire()));
  await inUse(leases.map(lease => lease.resource));
  await step('`Pool`: all in use');
  for (const lease of leases.splice(0)) lease.release();
  await step('`Pool`: all idle');
  console.log(`\nstats() while all are idle: ${told(pool.stats())}.`);
  while (pool.stats().total > 0) await setTimeout(100);
  await step('`Pool`: after `idleTimeout`, not collected yet', { collected: false });
  await step('`Pool`: after `idleTimeout`');
  console.log(`stats() after idleTimeout: ${told(pool.stats())}.`);
  await pool.close();
}

async function bounded() {
  const pool = new BufferPool({ maxSize: SIZE, maxBytes: 4 * SIZE });
  const lent = Array.from({ length: MANY }, () => pool.take(SIZE));
  await inUse(lent.map(each => each.buffer));
  await step('`BufferPool` of 16 MB: all in use');
  for (const each of lent.splice(0)) each.release();
  await step('`BufferPool` of 16 MB: nobody uses any');
  // Still in use, as far as the garbage collector knows.
  pool.take(1).release();
}

/** A peak of all of them, then two at a time for some idle timeouts: who is idle for long enough to go? */
async function underSmallLoad() {
  console.log(`\nA peak of ${MANY}, then two in use at a time for five idleTimeouts. How many are left?`);
  const rows = [];
  for (const order of ['lifo', 'fifo']) {
    const pool = new Pool({ create: make, max: MANY, idleTimeout: IDLE_TIMEOUT, order });
    const peak = await Promise.all(Array.from({ length: MANY }, () => pool.acquire()));
    await inUse(peak.map(lease => lease.resource));
    for (const lease of peak) lease.release();
    const until = performance.now() + 5 * IDLE_TIMEOUT;
    const caller = async () => {
      while (performance.now() < until) await pool.use(() => setTimeout(10));
    };
    await Promise.all([caller(), caller()]);
    await collect();
    const { total, totals } = pool.stats();
    const { arrayBuffers } = process.memoryUsage();
    rows.push([`order: '${order}'`, total, totals.destroyedBy.idle ?? 0, (arrayBuffers / MB).toFixed(0)]);
    await pool.close();
    peak.length = 0;
    await collect();
  }
  table(['', 'resources left', 'destroyedBy.idle', 'array buffers, MB'], rows);
}

/** Memory that is not written is not there yet. */
async function inUse(buffers) {
  for (const buffer of buffers) buffer.fill(1);
  await setTimeout(10);
}

async function step(name, { collected = true } = {}) {
  if (collected) await collect();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  rows.push([name, ...[heapUsed, external, arrayBuffers, rss].map(bytes => (bytes / MB).toFixed(0))]);
}

function make() {
  return Buffer.alloc(SIZE);
}

async function collect() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await setTimeout(20);
  }
}
