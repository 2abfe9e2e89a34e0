import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { LocalPostgres } from 'local-postgres';
import type { Client } from 'pg';
import { Pool, type Lease } from '../../src/engine/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { launchPostgres } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

// Supply that is late, with a real network, real connections and the real clock. A validation that nobody answers would
// take five seconds, a create 30: whoever is served sooner has waited for none of them.
const SOON = 4_000;

let server: LocalPostgres;
let proxy: TcpProxy;
let url: string;

beforeAll(async () => {
  server = await launchPostgres();
  proxy = await TcpProxy.before(Number(new URL(server.url).port));
  const behind = new URL(server.url);
  behind.hostname = '127.0.0.1';
  behind.port = String(proxy.port);
  url = behind.href;
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.close();
});

const fixture = (name: string): string => new URL(`../fixtures/${name}`, import.meta.url).pathname;

/** Borrows and works; how long that took. */
async function work(pool: Pool<Client>): Promise<number> {
  const since = performance.now();
  await pool.use(client => client.query('select 1'));
  return performance.now() - since;
}

async function hold(pool: Pool<Client>, count: number): Promise<Lease<Client>[]> {
  return Promise.all(Array.from({ length: count }, () => pool.acquire()));
}

describe('half of the idle connections are dropped by the network, and nobody is told', () => {
  it.each(['lifo', 'fifo'] as const)('nobody waits for one of them (%s)', async order => {
    await using pool = new Pool(
      pgPool({ connectionString: url, max: 8, order, validateAfterIdle: 0, acquireTimeout: 10_000 }),
    );
    const old = await hold(pool, 3);
    await Promise.all(old.map(({ resource }) => resource.query('select 1')));
    proxy.blackhole('old');
    const young = await hold(pool, 3);
    // In turn, so that they lie among each other.
    for (let i = 0; i < 3; i++) {
      old[i]!.release();
      young[i]!.release();
    }
    const waits = await Promise.all(Array.from({ length: 6 }, () => work(pool)));
    for (let i = 0; i < 5; i++) waits.push(await work(pool));
    expect(Math.max(...waits)).toBeLessThan(SOON);
    expect(pool.stats().totals.timedOut).toBe(0);
    proxy.restore();
    await pool.close({ timeout: 0 });
  });
});

describe('a server whose accept queue is full', () => {
  it('keeps nobody from the connections that there are, and is used again when it accepts', async () => {
    await using pool = new Pool(
      pgPool({
        connectionString: url,
        max: 6,
        acquireTimeout: 20_000,
        createBackoff: { initial: 100, max: 500 },
      }),
    );
    const held = await hold(pool, 2);
    await Promise.all(held.map(({ resource }) => resource.query('select 1')));
    held.pop()!.release();
    proxy.refuse();
    const full = spawn(process.execPath, [fixture('full-queue.mjs'), String(proxy.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const fillers: Socket[] = [];
    try {
      await once(full.stdout, 'data');
      // Until no more get in, those who connect fill its queue.
      for (let i = 0; i < 8; i++) {
        const filler = connect(proxy.port, '127.0.0.1');
        filler.on('error', () => undefined);
        fillers.push(filler);
      }
      const waits = Promise.all(Array.from({ length: 20 }, () => work(pool)));
      // One connection for all of them, while creates hang.
      expect(Math.max(...(await waits))).toBeLessThan(SOON);
      expect(pool.stats()).toMatchObject({ leased: 1, totals: { timedOut: 0 } });

      const all = hold(pool, 4);
      all.catch(() => undefined);
      await until(
        () => pool.stats().creating,
        creating => creating > 0,
      );
      for (const filler of fillers) filler.destroy();
      full.kill('SIGKILL');
      await once(full, 'exit');
      await proxy.reopen();
      const since = performance.now();
      for (const lease of await all) lease.release();
      // One step of the back-off, and what a kernel takes to send its first packet again.
      expect(performance.now() - since).toBeLessThan(3 * SOON);
    } finally {
      full.kill('SIGKILL');
      for (const lease of held) lease.release();
    }
  });
});

describe('a process that is frozen', () => {
  it('validates what has been idle meanwhile, and finds what is not there any more', async () => {
    const frozen = spawn(process.execPath, [fixture('frozen-app.mjs')], {
      env: { ...process.env, URL: url },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const answers = createInterface({ input: frozen.stdout })[Symbol.asyncIterator]();
    const borrow = async (): Promise<{ one: number; validated: number; tookMs: number }> => {
      frozen.stdin.write('borrow\n');
      return JSON.parse((await answers.next()).value as string) as never;
    };
    try {
      expect(await borrow()).toMatchObject({ one: 1, validated: 0 });
      await freeze(frozen, 1_500);
      expect(await borrow()).toMatchObject({ one: 1, validated: 1 });
      await freeze(frozen, 1_500, () => {
        proxy.blackhole('old');
      });
      const afterwards = await borrow();
      expect(afterwards).toMatchObject({ one: 1, validated: 2 });
      expect(afterwards.tookMs).toBeLessThan(SOON);
    } finally {
      frozen.kill('SIGKILL');
      proxy.restore();
    }
  });
});

/** Stops a process right after it has answered, as platforms do between two invocations. */
async function freeze(child: ChildProcess, ms: number, meanwhile?: () => void): Promise<void> {
  child.kill('SIGSTOP');
  meanwhile?.();
  await new Promise(resolve => setTimeout(resolve, ms));
  child.kill('SIGCONT');
}
