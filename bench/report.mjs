// What a whole run leaves behind: RESULTS.md, results.json with the targets of the last runs, and the chart.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.mjs';
import { SETTINGS } from './pools.mjs';
import { number, rowsOf } from './tables.mjs';

/** How many runs in a row have to reach the targets. */
const KEPT = 3;
const here = name => fileURLToPath(new URL(name, import.meta.url));

export async function writeReport(all) {
  const run = {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    node: process.version,
    cpu: `${cpus()[0].model.trim()} × ${availableParallelism()}`,
    targets: all.flatMap(results =>
      results.targets().map(target => ({ letter: results.workload.letter, ...target })),
    ),
  };
  const file = here('results.json');
  const earlier = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const runs = [...earlier, run].slice(-KEPT);
  writeFileSync(file, `${JSON.stringify(runs, undefined, 2)}\n`);
  writeFileSync(here('../docs/borrow-cost.svg'), chart(all));
  writeFileSync(here('RESULTS.md'), await formatted(report(all, runs)));
}

function report(all, runs) {
  const run = runs.at(-1);
  return [
    '# Results',
    `Written by \`npm run bench\` on ${run.date} (UTC), Node ${run.node.slice(1)}, ${run.cpu}. What is compared, and how, is in ` +
      '[docs/performance.md](../docs/performance.md)',
    '## Targets',
    'Ratios within one run, with all guarantees on. The last runs:',
    table(
      ['', 'target', 'limit', ...runs.map(({ date }) => date)],
      run.targets.map(({ letter, text, limit }) => [
        `(${letter})`,
        text,
        limit,
        ...runs.map(({ targets }) => {
          // The fastest peer may be another.
          const plain = label => label.replace(/ \([a-z-]+\)/, '');
          const same = targets.find(one => one.letter === letter && plain(one.text) === plain(text));
          return same ? `${number(same.is)}${same.holds ? '' : ' **missed**'}` : '';
        }),
      ]),
    ),
    '## Where targets are missed, and why',
    readFileSync(here('missed.md'), 'utf8').trim(),
    '## Contenders',
    table(['', 'settings'], Object.entries(SETTINGS)),
    '## Numbers',
    'The median, where half of the samples lie, and the ratio to nestjs-pool. ns and CPU times are of the process, as other programs change those less than the time by the clock.',
    ...all.flatMap(results => [
      `### (${results.workload.letter}) ${results.workload.title}`,
      `${results.workload.settings}.`,
      ...Object.entries(results.workload.tables).flatMap(([key, { title }]) => [
        ...(title ? [`_${title}_`] : []),
        table(
          ['', 'median', 'half of them', ''],
          rowsOf(results, key).map(({ name, value, spread, ratio }) => [name, value, spread, ratio]),
        ),
      ]),
    ]),
  ].join('\n\n');
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

async function formatted(text) {
  const prettier = await import('prettier');
  const options = await prettier.resolveConfig(here('RESULTS.md'));
  return prettier.format(text, { ...options, parser: 'markdown' });
}
