// Is what the package offers there without its optional peers; and where it needs one, does the error name it?
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each entry needs beside NestJS. All others load without any optional peer. */
const NEEDS = {
  // Of what it adapts to it needs but the types.
  './cls': 'pg',
  './http': 'undici',
  './mysql': 'mysql2',
  './otel': '@opentelemetry/api',
  './pg': 'pg',
  './prometheus': 'prom-client',
  './terminus': '@nestjs/terminus',
};

/**
 * @param {string} directory where an application can be put, out of the reach of the root's node_modules
 * @param {string} tarball the package, packed
 * @returns {string[]} what is wrong
 */
export function absentPeers(directory, tarball) {
  const modules = join(directory, 'node_modules');
  const own = join(modules, 'nestjs-pool');
  mkdirSync(own, { recursive: true });
  spawnSync('tar', ['-xzf', tarball, '--strip-components', '1', '-C', own], { stdio: 'inherit' });
  const { exports, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(own, 'package.json'), 'utf8'),
  );
  for (const peer of Object.keys(peerDependencies)) {
    if (!peerDependenciesMeta[peer]?.optional) provide(modules, peer);
  }
  const entries = Object.keys(exports).filter(entry => !entry.endsWith('.json'));
  const without = entries.map(entry => wrongOf(directory, entry, NEEDS[entry]));
  for (const peer of new Set(Object.values(NEEDS))) provide(modules, peer);
  const within = Object.keys(NEEDS).map(entry => wrongOf(directory, entry));
  return [...without, ...within].filter(wrong => wrong !== undefined);
}

function provide(modules, name) {
  const place = join(modules, name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(root, 'node_modules', name), place, 'junction');
}

/** An application imports it, and does nothing else. */
function wrongOf(directory, entry, missing) {
  const name = `nestjs-pool${entry.slice(1)}`;
  const code = `import 'reflect-metadata'; await import('${name}'); console.log('loaded');`;
  const args = ['--input-type=module', '--eval', code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' });
  const loaded = stdout.includes('loaded');
  if (missing === undefined) return loaded ? undefined : `${name} does not load:\n${stderr}`;
  const named = stderr.includes(`Cannot find package '${missing}' imported from`);
  return !loaded && named
    ? undefined
    : `${name} without ${missing} does not say that it is missing:\n${stderr}`;
}
