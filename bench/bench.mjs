// nestjs-pool beside other pools: `npm run bench`, and `npm run bench -- idle burst` for some workloads only.
// The whole run writes RESULTS.md, results.json and the chart of docs/performance.md.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installed } from '../scripts/installed.mjs';

const here = name => fileURLToPath(new URL(name, import.meta.url));

installed(here('.'));
if (spawnSync('npm run --silent build', { cwd: here('..'), shell: true, stdio: 'inherit' }).status !== 0)
  process.exit(1);
// They make use of what has only now been installed and built.
const { Results } = await import('./results.mjs');
const { printed } = await import('./tables.mjs');
const { writeReport } = await import('./report.mjs');

const files = readdirSync(here('workloads')).filter(file => file.endsWith('.mjs'));
const all = await Promise.all(files.map(async file => (await import(`./workloads/${file}`)).default));
all.sort((a, b) => (a.letter < b.letter ? -1 : 1));

const wanted = process.argv.slice(2);
const unknown = wanted.filter(name => !all.some(workload => isMeant(workload, name)));
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(', ')}. There are ${all.map(({ letter, name }) => `${name} (${letter})`).join(', ')}.`,
  );
  process.exit(1);
}

const began = performance.now();
const measured = new Map();
for (const workload of all) {
  if (wanted.length > 0 && !wanted.some(name => isMeant(workload, name))) continue;
  const results = await run(workload);
  if (results) measured.set(workload.name, results);
  console.log(results ? printed(results) : '');
}
const missed = [...measured.values()].flatMap(results => results.targets()).filter(({ holds }) => !holds);
console.log(`${Math.round((performance.now() - began) / 1000)} s; targets missed: ${missed.length}`);
if (wanted.length === 0 && process.env.BENCH_QUICK !== '1') await writeReport([...measured.values()]);
process.exitCode = missed.length === 0 ? 0 : 1;

function isMeant({ letter, name }, by) {
  return by === letter || by === name;
}

async function run(workload) {
  console.log(`(${workload.letter}) ${workload.title}`);
  const processes = [];
  const { contenders, rounds, patience } = workload.apart ?? {};
  const turns = contenders
    ? Array.from({ length: rounds }, (_, round) =>
        contenders.map((__, i) => contenders[(i + round) % contenders.length]),
      ).flat()
    : Array.from({ length: workload.processes }, () => undefined);
  const tooSlow = new Set();
  for (const contender of turns) {
    if (tooSlow.has(contender)) continue;
    const { measured: tables, skipped } = await inProcess(workload.name, contender, patience);
    if (skipped) {
      console.log(`  skipped: ${skipped}`);
      return undefined;
    }
    if (tables) processes.push(tables);
    else tooSlow.add(contender);
  }
  const results = new Results(workload, processes, measured);
  results.tooSlow = tooSlow;
  return results;
}

/** @returns what it has sent; nothing when it was ended because it took too long */
async function inProcess(name, contender, patience) {
  const args = contender ? [name, contender] : [name];
  const child = fork(here('one.mjs'), args, { execArgv: ['--expose-gc'] });
  const timer = patience && setTimeout(() => child.kill('SIGKILL'), patience);
  let sent = {};
  child.on('message', message => (sent = message));
  const [code] = await once(child, 'exit');
  clearTimeout(timer);
  if (code !== 0 && code !== null) throw new Error(`${args.join(' ')} has failed`);
  return sent;
}
