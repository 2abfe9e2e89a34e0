// One session or several, in this thread or in their own, with how many threads each: docs/model-sessions.md.
// `npm run build && node examples/model-session/measure.mjs`; each row has a process of its own, for its memory.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'nestjs-pool/engine';
import { makeModel } from './model.mjs';
import { modelThreads } from './model-thread.mjs';
import { infer, loadOnnx, openSession } from './onnx.mjs';

const MODEL = { width: 1_024, layers: 24 };
const ROWS = 8;
const CALLERS = 8;
const ROUNDS = 5;
const ROUND_MS = 1_000;
const MB = 2 ** 20;
/** Where sessions are (main, shared: in this thread, lent, or used by all at once), how many, and with how many threads each. */
const ROWS_OF_TABLE = [
  ['main', 1, 1],
  ['main', 1, 2],
  ['shared', 1, 2],
  ['main', 2, 1],
  ['threads', 1, 1],
  ['threads', 1, 2],
  ['threads', 2, 1],
  ['threads', 2, 2],
  ['threads', 4, 1],
  ['threads', 4, 4],
];

const ort = loadOnnx();
if (ort === undefined) console.log('skipped: needs onnxruntime-node (npm install onnxruntime-node)');
else if (process.send) process.once('message', one);
else await all();

async function all() {
  const folder = await mkdtemp(join(tmpdir(), 'model-session-'));
  const path = join(folder, 'model.onnx');
  const model = makeModel(MODEL);
  await writeFile(path, model);
  console.log(
    `Node.js ${process.version}, onnxruntime-node ${ort.env.versions.node}, ${process.platform} ${process.arch}, ` +
      `${availableParallelism()} cores of ${cpus()[0]?.model.trim()}; load of the machine before: ${loadavg()[0].toFixed(1)}. ` +
      `A model of ${(model.length / MB).toFixed(0)} MB, ${ROWS} rows a run, ${CALLERS} callers.`,
  );
  const children = [];
  for (const [where, sessions, threads] of ROWS_OF_TABLE) {
    const child = fork(fileURLToPath(import.meta.url));
    child.send({ path, where, sessions, threads });
    const [opened] = await once(child, 'message');
    children.push({
      child,
      row: [where, sessions, threads],
      opened,
      rates: [],
      p50: [],
      p99: [],
      blocked: [],
      cpu: [],
    });
  }
  // In turns: other programs come and go.
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of children) {
      each.child.send('round');
      const [{ rate, p50, p99, blocked, cpu }] = await once(each.child, 'message');
      each.rates.push(rate);
      each.p50.push(p50);
      each.p99.push(p99);
      each.blocked.push(blocked);
      each.cpu.push(cpu);
    }
  }
  console.log(
    '\n| where | sessions | threads each | runs a second | ÷ the first | p50, ms | p99, ms | CPU a run, ms | loop blocked, ms | RSS, MB | create, ms | first run, ms | later, ms |',
  );
  console.log(`|${' --- |'.repeat(13)}`);
  for (const { child, row, opened, rates, p50, p99, blocked, cpu } of children) {
    const ratio = median(rates.map((rate, i) => rate / children[0].rates[i]));
    const numbers = [median(rates), ratio.toFixed(2), median(p50), median(p99), median(cpu), median(blocked)];
    const shown = [...row, ...numbers, opened.rss, opened.create, opened.first, opened.later];
    console.log(`| ${shown.map(each => (typeof each === 'number' ? Math.round(each) : each)).join(' | ')} |`);
    child.send('end');
  }
  await Promise.all(children.map(({ child }) => once(child, 'exit')));
  await rm(folder, { recursive: true });
}

async function one({ path, where, sessions, threads }) {
  const before = process.memoryUsage().rss;
  const firsts = [];
  const pool =
    where === 'threads'
      ? new Pool(modelThreads({ sessions, path, width: MODEL.width, threads, warmUpRows: ROWS }))
      : new Pool({
          create: async () => {
            const session = await openSession(ort, path, threads);
            const run = input => infer(ort, session, input, MODEL.width);
            firsts.push(await time(() => run(input)));
            return { run, close: () => session.release() };
          },
          destroy: session => session.close(),
          min: sessions,
          max: sessions,
          createConcurrency: 1,
        });
  const input = new Float32Array(ROWS * MODEL.width).fill(0.5);
  await pool.start();
  const later = [];
  for (let i = 0; i < 9; i++) later.push(await time(() => pool.use(model => model.run(input))));
  process.send({
    rss: (process.memoryUsage().rss - before) / MB,
    create: pool.stats().latency.create.p50Ms,
    first: firsts.length > 0 ? median(firsts) : '–',
    later: median(later),
  });
  const shared = await pool.use(model => model);
  const work = where === 'shared' ? input => shared.run(input) : input => pool.use(model => model.run(input));
  for await (const [message] of on()) {
    if (message === 'end') break;
    process.send(await round(work, input));
  }
  await pool.close();
  process.disconnect();
}

async function* on() {
  for (;;) yield await once(process, 'message');
}

async function round(work, input) {
  const latencies = [];
  let blocked = 0;
  let turn = performance.now();
  const ticking = setInterval(() => {
    blocked = Math.max(blocked, performance.now() - turn);
    turn = performance.now();
  }, 1);
  const until = performance.now() + ROUND_MS;
  const caller = async () => {
    while (performance.now() < until) latencies.push(await time(() => work(input)));
  };
  const before = process.cpuUsage();
  const ms = await time(() => Promise.all(Array.from({ length: CALLERS }, caller)));
  const { user, system } = process.cpuUsage(before);
  clearInterval(ticking);
  latencies.sort((a, b) => a - b);
  const at = q => latencies[Math.floor((latencies.length - 1) * q)];
  return {
    rate: (latencies.length * 1_000) / ms,
    p50: at(0.5),
    p99: at(0.99),
    blocked,
    cpu: (user + system) / 1_000 / latencies.length,
  };
}

async function time(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
