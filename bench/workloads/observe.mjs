import { TextDecoderStream } from 'node:stream/web';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { cost, inTurns, times } from '../measure.mjs';

const OPERATIONS = times(30_000);
const ROUNDS = times(12);
const root = fileURLToPath(new URL('../..', import.meta.url));

const NOTHING = 'nothing on';
const NO_LOOKS = 'without the looks at channels';
const LOOKS = 'the looks';
const APPLICATION = 'nothing on, in an application';
const LIVE = 'the live page of an application, and somebody looks';

const ignore = () => undefined;

/** What somebody turns on for a pool that is used already. */
const OBSERVERS = {
  [NOTHING]: ignore,
  'a subscriber of nestjs-pool:acquire': () =>
    tracingChannel('nestjs-pool:acquire').subscribe({ asyncEnd: ignore }),
  'a subscriber of nestjs-pool:release': () => channel('nestjs-pool:release').subscribe(ignore),
  'a listener of onWaited': pool => pool.addListener({ onWaited: ignore }),
  'a listener of onAcquire and onRelease': pool => pool.addListener({ onAcquire: ignore, onRelease: ignore }),
  'otel(), all of it': pool => otel(pool, {}),
  'otel({ histograms: false })': pool => otel(pool, { histograms: false }),
  Prometheus: pool => prometheus(pool, {}),
  // Its AsyncLocalStorage makes every promise dearer.
  [APPLICATION]: () => application([]),
  [LIVE]: livePage,
  'Prometheus with the histogram of use': pool => prometheus(pool, { use: true }),
};

export default {
  letter: 'm',
  name: 'observe',
  title: 'What seeing costs a borrow',
  settings: `10 resources, one borrower, ${OPERATIONS.toLocaleString('en')} borrows a round; a process for each observer`,
  apart: { contenders: [LOOKS, ...Object.keys(OBSERVERS)], rounds: times(3, 1), patience: 120_000 },
  tables: {
    looks: { title: 'with nothing on, beside an engine without the looks at channels', unit: 'ns' },
    observed: { title: 'acquire and release, with something on', unit: 'ns' },
  },

  async run(name) {
    if (name === LOOKS) return { looks: await looks(), observed: {} };
    const { Pool } = await import('../../dist/lib/engine/index.js');
    const pool = await filled(Pool);
    await OBSERVERS[name](pool);
    return { looks: {}, observed: await inTurns({ [name]: await borrower(pool, 'observed') }, ROUNDS, 3) };
  },

  targets: results => [
    {
      text: 'with nothing on no more than 3 % above an engine without the looks',
      most: 1.03,
      is: results.ratio('looks', NOTHING, NO_LOOKS),
    },
    {
      text: 'Prometheus without its histogram of use no more than 10 % above nothing',
      most: 1.1,
      is: results.ratio('observed', 'Prometheus', NOTHING),
    },
    {
      text: 'the live page no more than 10 % above nothing',
      most: 1.1,
      is: results.ratio('observed', LIVE, APPLICATION),
    },
  ],
};

/** The two in turns, in one process: what they differ in is less than what two processes do. */
async function looks() {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-pool-bench-'));
  try {
    cpSync(join(root, 'dist/lib/engine'), join(folder, 'engine'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const file = join(folder, 'engine/pool.js');
    const text = readFileSync(file, 'utf8');
    const without = text.replaceAll(/\b(acquires|CHANNELS\.onRelease)\.hasSubscribers/g, 'false');
    if (without === text) throw new Error('There are no looks to be taken out of the engine.');
    writeFileSync(file, without);
    const contenders = {};
    for (const [name, path] of [
      [NOTHING, join(root, 'dist/lib/engine/index.js')],
      [NO_LOOKS, join(folder, 'engine/index.js')],
    ]) {
      const { Pool } = await import(pathToFileURL(path).href);
      contenders[name] = await borrower(await filled(Pool), name);
    }
    return await inTurns(contenders, ROUNDS * 2, 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function filled(Pool) {
  const pool = new Pool({ name: 'bench', create: () => ({}), max: 10 });
  const all = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
  for (const lease of all) lease.release();
  return pool;
}

async function borrower(pool, name) {
  const loops = await import(`../loops.mjs?${name}`);
  const lending = { acquire: () => pool.acquire(), release: lease => lease.release() };
  return () => cost(OPERATIONS, () => loops.oneByOne(lending, OPERATIONS));
}

async function otel(pool, options) {
  const { MeterProvider, PeriodicExportingMetricReader, InMemoryMetricExporter } =
    await import('@opentelemetry/sdk-metrics');
  const { instrumentPools } = await import('../../dist/lib/otel/index.js');
  // Exported as often as is usual; what happens in between is what a borrow pays.
  const reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(0) });
  instrumentPools(new MeterProvider({ readers: [reader] }), { ...options, pools: [pool] });
}

/** In an application of its own, which looks at this pool as at one of its own. */
async function livePage(pool) {
  const { PoolRegistry } = await import('../../dist/lib/index.js');
  const { PoolDashboardModule } = await import('../../dist/lib/dashboard/index.js');
  const app = await application([PoolDashboardModule.forRoot({ open: true })]);
  const registry = app.get(PoolRegistry);
  const shown = { pool, definition: { name: 'bench' }, start: 'lazy', startTimeout: 0, started: true };
  registry.entries = () => [shown];
  const { body } = await fetch(`${await app.getUrl()}/pools/events`);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  // Until the pool is seen.
  while (!(await reader.read()).value.includes('bench'));
  const read = async () => {
    while (!(await reader.read()).done);
  };
  void read();
}

async function application(imports) {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { PoolModule } = await import('../../dist/lib/index.js');
  class Application {}
  Module({ imports: [PoolModule.forRoot({ log: false }), ...imports] })(Application);
  const app = await NestFactory.create(Application, { logger: false });
  await app.listen(0, '127.0.0.1');
  return app;
}

async function prometheus(pool, histograms) {
  const { Registry } = await import('prom-client');
  const { collectPools } = await import('../../dist/lib/prometheus/index.js');
  collectPools({ pools: [pool], registry: new Registry(), histograms });
}
