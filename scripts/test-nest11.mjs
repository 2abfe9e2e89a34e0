// The tests of everything that knows NestJS on NestJS 11, and the types of the sources too; with `--first` some of them on
// 11.0, where the peer range begins. What else it is given goes to Jest.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installed } from './installed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const isFirst = process.argv[2] === '--first';
const folder = isFirst ? 'test/nest11.0' : 'test/nest11';

installed(root + folder);
// Some tests start processes that import the built package.
if (process.env.BUILT !== '1') run('npm', 'run', '--silent', 'build');
checkTypes();
run(
  'npm',
  'run',
  '--silent',
  'jest',
  '--',
  '--config',
  `${folder}/jest.config.js`,
  ...process.argv.slice(isFirst ? 3 : 2),
);

function checkTypes() {
  const tsc = ['exec', '--no', '--', 'tsc', '-p', folder, '--listFiles'];
  const { status, stdout } = spawnSync('npm', tsc, { cwd: root, encoding: 'utf8', shell: onWindows() });
  const lines = stdout.split('\n').map(line => line.replaceAll('\\', '/'));
  const files = lines.filter(line => /^(\/|[A-Z]:\/)/.test(line));
  if (status !== 0) fail(lines.filter(line => !files.includes(line)).join('\n'));
  // A path that does not lead to the types of 11 makes tsc look further, and find those of 12.
  const nest = files.filter(file => file.includes('/node_modules/@nestjs/'));
  const others = nest.filter(file => !file.includes(`/${folder}/node_modules/`));
  if (nest.length === 0 || others.length > 0) fail(`Not the types of ${folder}:\n${others.join('\n')}`);
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
