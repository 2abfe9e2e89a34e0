// Looks at the package as npm would publish it: are the files there, do all imports and types resolve, is what an
// application does with them accepted by its compiler, can Jest compile it to CommonJS, and is what is missing named where an
// optional peer is?
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { absentPeers } from './absent-peers.mjs';
import { filesWithMeta } from './import-meta.mjs';

const directory = mkdtempSync(join(tmpdir(), 'nestjs-pool-package-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

// Where others make use of what has been built, it must not be built anew.
if (process.env.BUILT !== '1') run('npm', 'run', '--silent', 'build');
run('npm', 'pack', '--silent', '--pack-destination', directory);
const [tarball] = readdirSync(directory);
run('npm', 'exec', '--no', '--', 'publint', '--strict', join(directory, tarball));
run('npm', 'exec', '--no', '--', 'attw', '--profile', 'esm-only', join(directory, tarball));
// By its own name the package resolves to what has just been built.
run('npm', 'exec', '--no', '--', 'tsc', '-p', 'test/fixtures/consumer');

const withMeta = filesWithMeta('dist/lib');
for (const file of withMeta) console.error(`${file} has import.meta, which nothing compiles to CommonJS.`);
if (withMeta.length > 0) process.exit(1);

const wrong = absentPeers(join(directory, 'app'), join(directory, tarball));
for (const one of wrong) console.error(one);
if (wrong.length > 0) process.exit(1);
console.log('Without its optional peers the package loads, or says which one is missing.');

function run(command, ...args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(1);
}
