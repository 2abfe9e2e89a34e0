// A pool of ONNX sessions, each in a thread of its own: `npm run build && node examples/model-session/main.mjs`.
import { rm, mkdtemp, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'nestjs-pool/engine';
import { makeModel } from './model.mjs';
import { modelThreads } from './model-thread.mjs';
import { infer, loadOnnx, openSession } from './onnx.mjs';

const MODEL = { width: 512, layers: 16 };
const ROWS = 16;
const REQUESTS = 100;
/** Of one session. */
const THREADS = 1;

const ort = loadOnnx();
if (ort === undefined) console.log('skipped: needs onnxruntime-node (npm install onnxruntime-node)');
else await main();

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'model-session-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeFile(path, makeModel(MODEL));
    const inputs = Array.from({ length: REQUESTS }, (_, i) =>
      new Float32Array(ROWS * MODEL.width).fill(i / REQUESTS),
    );
    const expected = await inThisThread(path, inputs);
    await inThreads(path, inputs, expected);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function inThisThread(path, inputs) {
  const session = await openSession(ort, path, THREADS);
  await infer(ort, session, inputs[0], MODEL.width);
  const outputs = await timed('one session in this thread', () =>
    Promise.all(inputs.map(input => infer(ort, session, input, MODEL.width))),
  );
  await session.release();
  return outputs;
}

async function inThreads(path, inputs, expected) {
  const sessions = Math.max(1, Math.floor(availableParallelism() / THREADS));
  const pool = new Pool(
    modelThreads({ sessions, path, width: MODEL.width, threads: THREADS, warmUpRows: ROWS }),
  );
  await pool.start();
  const outputs = await timed(`${sessions} session(s) in threads of their own`, () =>
    Promise.all(inputs.map(input => pool.use(thread => thread.run(input)))),
  );
  const same = outputs.every((output, i) => output.every((value, k) => value === expected[i][k]));
  console.log(same ? 'All answers are the same.' : 'WRONG: the answers differ.');
  if (!same) process.exitCode = 1;

  // A request that is wrong costs nobody a session.
  const refused = await pool.use(thread => thread.run(new Float32Array(1))).catch(error => error);
  console.log(`A wrong input: ${refused.name}; sessions destroyed: ${pool.stats().totals.destroyed}.`);

  // A thread that dies costs its borrower this one run.
  const dead = await pool
    .use(async thread => {
      void thread.worker.terminate();
      return thread.run(inputs[0]);
    })
    .catch(error => error);
  await pool.use(thread => thread.run(inputs[0]));
  console.log(`A thread that dies: ${dead.name}; the next is served by another.`);

  const { leased, totals, latency } = pool.stats();
  console.log(
    `leases ${totals.acquired} given, ${totals.released} returned, ${leased} out; ` +
      `create p50 ${latency.create.p50Ms.toFixed(0)} ms, wait p50 ${latency.wait.p50Ms.toFixed(0)} ms, ` +
      `hold p50 ${latency.hold.p50Ms.toFixed(1)} ms`,
  );
  await pool.close();
}

async function timed(name, work) {
  let blocked = 0;
  let turn = performance.now();
  const ticking = setInterval(() => {
    blocked = Math.max(blocked, performance.now() - turn);
    turn = performance.now();
  }, 1);
  const began = performance.now();
  const result = await work();
  const seconds = (performance.now() - began) / 1_000;
  // Until it has ticked once more.
  await new Promise(resolve => setTimeout(resolve, 10));
  clearInterval(ticking);
  console.log(
    `${name}: ${(REQUESTS / seconds).toFixed(0)} runs a second, ` +
      `the event loop was blocked for up to ${blocked.toFixed(0)} ms`,
  );
  return result;
}
