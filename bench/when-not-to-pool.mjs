// When is a pool the wrong thing? `npm run build && node bench/when-not-to-pool.mjs`, or some of it by name: cheap, leaks,
// idle, oversized. Takes about two minutes. docs/when-not-to-pool.md says what follows from it.
//
// Each part has a process of its own, since memory is measured, and since what one has compiled is not the other's.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Skipped } from './measure.mjs';

const PARTS = {
  cheap: 'Cheap objects: from when on does a pool pay?',
  leaks: 'What the last user has left behind',
  idle: 'Fifty buffers of 4 MB',
  oversized: 'A hundred connections for five',
};

const [first, ...others] = process.argv.slice(2);
if (first === '--part') await runPart(others[0]);
else await runAll(first === undefined ? Object.keys(PARTS) : [first, ...others]);

async function runAll(names) {
  const unknown = names.find(name => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) {
    console.error(`There is no ${unknown}; there are ${Object.keys(PARTS).join(', ')}.`);
    process.exit(2);
  }
  console.log(
    `Node.js ${process.version}, ${process.platform} ${process.arch}, ${availableParallelism()} cores of ` +
      `${cpus()[0]?.model.trim()}; load of the machine before: ${loadavg()[0].toFixed(1)}.`,
  );
  for (const name of names) {
    console.log(`\n## ${PARTS[name]}`);
    const part = fork(fileURLToPath(import.meta.url), ['--part', name], {
      execArgv: ['--expose-gc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const [code] = await once(part, 'exit');
    if (code !== 0) process.exitCode = 1;
  }
}

async function runPart(name) {
  const { default: run } = await import(`./when-not-to-pool/${name}.mjs`);
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    console.log(`\nSkipped: ${error.message}`);
  }
  process.disconnect();
}
