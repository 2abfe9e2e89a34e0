// Checks the rules of .dependency-cruiser.cjs: which folder may import which, and within src/engine which room. There, no
// files import each other in a circle, not even for their types.
import { spawnSync } from 'node:child_process';

// With a compiler that dependency-cruiser cannot use it finds no modules at all, and is content: rules
// about nothing always hold.
const FEWEST_MODULES = 20;

const { stdout, stderr, status } = spawnSync(
  'npm exec --no -- depcruise --config .dependency-cruiser.cjs --output-type json src',
  { shell: true, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
);
if (!stdout.startsWith('{')) fail(`dependency-cruiser did not run (${status}):\n${stdout}${stderr}`);

const { modules, summary } = JSON.parse(stdout);
const own = modules.filter(({ source }) => source.startsWith('src/'));
const errors = summary.violations.filter(({ rule }) => rule.severity === 'error');

// One arrow that points up closes many circles: what is wrong is the arrow.
const arrows = errors.filter(({ cycle }) => !cycle);
const wrong = arrows.length > 0 ? arrows : errors;

for (const { rule, from, to, cycle } of wrong) {
  const path = cycle ? cycle.map(({ name }) => name).join(' → ') : to;
  const comment = summary.ruleSetUsed.forbidden.find(({ name }) => name === rule.name)?.comment ?? '';
  console.error(`${from} → ${path}\n  ${rule.name}: ${comment}`);
}
if (wrong.length > 0) fail(`${wrong.length} imports against the layers`);
if (own.length < FEWEST_MODULES)
  fail(`Only ${own.length} modules found under src: nothing was really checked`);
for (const { name, from } of summary.ruleSetUsed.forbidden) {
  const { path } = from;
  if (name.startsWith('engine-') && !own.some(({ source }) => new RegExp(path).test(source)))
    fail(`${name} is about no file: is its room still called so?`);
}
console.log(`${own.length} modules keep to the layers`);

function fail(message) {
  console.error(message);
  process.exit(1);
}
