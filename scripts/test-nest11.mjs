// The tests of everything that knows NestJS on NestJS 11, and the types of the sources too. What it is given goes to Jest.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installed } from './installed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

installed(`${root}test/nest11`);
// Some tests start processes that import the built package.
run('npm', 'run', '--silent', 'build');
checkTypes();
run(
  'npm',
  'run',
  '--silent',
  'jest',
  '--',
  '--config',
  'test/nest11/jest.config.js',
  ...process.argv.slice(2),
);

function checkTypes() {
  const tsc = ['exec', '--no', '--', 'tsc', '-p', 'test/nest11', '--listFiles'];
  const { status, stdout } = spawnSync('npm', tsc, { cwd: root, encoding: 'utf8', shell: onWindows() });
  const lines = stdout.split('\n').map(line => line.replaceAll('\\', '/'));
  const files = lines.filter(line => /^(\/|[A-Z]:\/)/.test(line));
  if (status !== 0) fail(lines.filter(line => !files.includes(line)).join('\n'));
  // A path that does not lead to the types of 11 makes tsc look further, and find those of 12.
  const nest = files.filter(file => file.includes('/node_modules/@nestjs/'));
  const others = nest.filter(file => !file.includes('/test/nest11/node_modules/'));
  if (nest.length === 0 || others.length > 0) fail(`Not the types of NestJS 11:\n${others.join('\n')}`);
}

function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: onWindows() });
  if (status !== 0) process.exit(1);
}

function onWindows() {
  return process.platform === 'win32';
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
