// The tests of the engine and of all that knows NestJS, on newer versions of node (from npm), both of NestJS, and its oldest.
// `npm run test:matrix -- 24` for one version of node only.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import config from '../jest.config.js';
import { installed } from './installed.mjs';

const NODES = ['22.23.3', '24.21.0', '26.10.0'];
const SUITES = {
  // What needs a database knows nothing of NestJS, and the example is built for the node that builds it.
  12: ['--testPathIgnorePatterns', ...config.testPathIgnorePatterns, 'test/(examples|faults|resources)/'],
  // The engine does not see the difference.
  11: ['--config', 'test/nest11/jest.config.js'],
  '11.0': ['--config', 'test/nest11.0/jest.config.js'],
};

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'nestjs-pool-matrix-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const chosen = process.argv.slice(2);
const nodes = chosen.length === 0 ? NODES : NODES.filter(node => chosen.includes(node.split('.')[0]));
if (nodes.length === 0) throw new Error(`There are ${NODES.join(', ')}`);

for (const folder of ['test/nest11', 'test/nest11.0']) installed(join(root, folder));
const built = spawnSync('npm run --silent build', { cwd: root, shell: true, stdio: 'inherit' });
if (built.status !== 0) process.exit(1);

const rows = nodes.flatMap(node => {
  const version = withNode(node, ['node', '--version'], 'pipe').stdout.trim();
  if (version !== `v${node}`) {
    return [
      { node, nest: Object.keys(SUITES).join(', '), result: 'COULD NOT BE HAD from npm', failed: true },
    ];
  }
  return Object.entries(SUITES).map(([nest, args]) => test(node, nest, args));
});

console.log();
console.table(rows, ['node', 'nest', 'passed', 'broken', 'result', 'seconds']);
if (rows.some(row => row.failed)) process.exit(1);

function test(node, nest, args) {
  console.log(`\n=== node ${node}, NestJS ${nest}`);
  const report = join(directory, `${node}-${nest}.json`);
  const jest = ['node', '--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const began = Date.now();
  const { status } = withNode(
    node,
    [...jest, ...args, '--testTimeout', '120000', '--json', '--outputFile', report],
    ['ignore', 'ignore', 'inherit'],
  );
  const row = { node, nest, seconds: Math.round((Date.now() - began) / 1000), failed: status !== 0 };
  try {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
    const result = status === 0 ? 'passed' : `FAILED in ${numFailedTestSuites} files`;
    return { ...row, passed: numPassedTests, broken: numFailedTests, result };
  } catch {
    return { ...row, result: `FAILED to run (${status})` };
  }
}

/** The `node` package of npm brings a binary, which comes first on the PATH here and in the processes that tests start. */
function withNode(node, command, stdio) {
  const quoted = command.map(word => (/^[\w./-]+$/.test(word) ? word : `'${word}'`)).join(' ');
  return spawnSync('npx', ['-y', '-p', `node@${node}`, '-c', quoted], { cwd: root, stdio, encoding: 'utf8' });
}
