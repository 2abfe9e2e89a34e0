// Does the package work in a CommonJS application on NestJS 11, by what docs/commonjs.md says? Installs the package as npm
// would publish it into a copy of test/fixtures/commonjs-app, builds that, calls it over HTTP, and runs its own tests.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// Out of the reach of the root's node_modules.
const directory = mkdtempSync(join(tmpdir(), 'nestjs-pool-commonjs-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const app = join(directory, 'app');
cpSync(join(root, 'test/fixtures/commonjs-app'), app, { recursive: true });

if (process.env.BUILT !== '1') run(root, 'run', '--silent', 'build');
run(root, 'pack', '--silent', '--pack-destination', directory);
const tarball = readdirSync(directory).find(name => name.endsWith('.tgz'));
run(app, 'ci', '--no-audit', '--no-fund');
run(app, 'install', '--no-save', '--no-audit', '--no-fund', join(directory, tarball));

run(app, 'run', 'build');
await callIt();
// As older projects are set up, whose compiler does not read `exports`.
run(app, 'run', 'build:older');
await callIt();
run(app, 'test');
run(app, 'run', 'test:e2e');
console.log('A CommonJS application works with the packed package.');

function run(cwd, ...args) {
  const { status } = spawnSync('npm', args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) {
    console.error(`Failed: npm ${args.join(' ')}`);
    process.exit(1);
  }
}

/** The built application, started by plain node. */
async function callIt() {
  const child = spawn(process.execPath, ['dist/main'], {
    cwd: app,
    env: { ...process.env, PORT: '0', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await addressOf(child);
    expectSame(await json(`${url}/`), { mine: 1, ofTheService: 1 });
    expectSame(await json(`${url}/free`), { leased: 0, lent: 1 });
  } finally {
    const exited = once(child, 'exit');
    if (child.kill()) await exited;
  }
}

/** Resolves when it has said where it listens; goes on reading what it says, as it would end otherwise. */
function addressOf(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
      const port = /Listening at http:\S+:(\d+)/.exec(output)?.[1];
      if (port) resolve(`http://localhost:${port}`);
    });
    child.once('exit', () => reject(new Error(`The application did not start:\n${output}`)));
  });
}

async function json(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

function expectSame(answer, expected) {
  const [is, should] = [answer, expected].map(value => JSON.stringify(value));
  if (is !== should) throw new Error(`The application answered ${is}, not ${should}`);
  console.log(`answered ${is}`);
}
