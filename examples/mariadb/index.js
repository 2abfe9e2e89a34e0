// A real MariaDB for the examples and the tests. No package of npm brings one, so it is that of the system, with data of its
// own: the server that the system itself may be running is left alone.
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, chownSync, constants, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const KEEPER = fileURLToPath(new URL('keep.sh', import.meta.url));
const NOBODY = 65534;
const START_ATTEMPTS = 5;
/** Where a server is installed that is not meant to be called by hand. */
const SERVER_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/opt/mariadb/bin'];

/** @type {typeof import('./index.js').whyNoMariadb} */
export function whyNoMariadb() {
  const missing = ['mariadbd', 'mariadb-install-db'].filter(name => !find(name));
  if (missing.length === 0) return undefined;
  return `There is no ${missing.join(' and no ')} on the PATH or in ${SERVER_DIRECTORIES.join(', ')}. On Debian: apt-get install mariadb-server`;
}

/** @type {typeof import('./index.js').startMariadb} */
export async function startMariadb({ database = 'test', maxConnections = 100, options = [], logTo } = {}) {
  if (!/^[a-z_][a-z0-9_]*$/.test(database)) throw new TypeError(`Not a plain database name: ${database}`);
  const mariadbd = find('mariadbd');
  const install = find('mariadb-install-db');
  if (!mariadbd || !install) throw new Error(whyNoMariadb());
  const user = unprivilegedUser(mariadbd);
  const data = createDataDirectory(user.ids); // the keeper, started in the same tick, sees to its removal

  /** @param {number} port */
  const launch = port =>
    launchServer(
      user,
      [KEEPER, install, data, database, mariadbd, ...serverOptions(port, data, maxConnections), ...options],
      logTo,
    );

  let port = 0;
  /** @type {Awaited<ReturnType<typeof launch>> | undefined} */
  let server;
  for (let attempt = 1; !server; attempt++) {
    port = randomPort();
    try {
      server = await launch(port);
    } catch (error) {
      if (attempt < START_ATTEMPTS && /Can't start server: Bind/.test(String(error))) continue;
      await rm(data, { recursive: true, force: true });
      throw error;
    }
  }
  let current = server;
  let closed = false;

  const local = {
    url: `mysql://root@127.0.0.1:${port}/${database}`,
    port,
    database,
    get running() {
      return current.running;
    },
    stop: () => current.stop('stop'),
    kill: () => current.stop('kill'),
    async start() {
      if (closed) throw new Error('This MariaDB was closed and its data are gone: call startMariadb() again');
      if (current.running) return;
      await current.leave('keep');
      current = await launch(port);
    },
    async close() {
      closed = true;
      await current.stop('stop');
      await current.leave('remove');
      // The keeper may not be allowed to remove the directory from its parent: that takes our own rights.
      await rm(data, { recursive: true, force: true });
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
      log = (log + chunk).slice(-4_000);
      if (log.includes('ready for connections')) resolve(undefined);
    });
    keeper.once('error', cause => reject(new Error(`Cannot run ${command}`, { cause })));
    void gone.then(() => reject(new Error(`MariaDB did not start:\n${log}`)));
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
    /** @param {'stop' | 'kill'} word */
    async stop(word) {
      if (!running) return;
      for (const handle of handles) handle.ref();
      stdin.write(`${word}\n`);
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

/** Below the range from which systems take the ports of outgoing connections, so that none of them takes it meanwhile. */
function randomPort() {
  return randomInt(20_000, 32_000);
}

/**
 * @param {number} port
 * @param {string} data
 * @param {number} maxConnections
 */
function serverOptions(port, data, maxConnections) {
  const settings = {
    port,
    socket: join(data, 'mariadb.sock'),
    'pid-file': join(data, 'mariadb.pid'),
    'bind-address': '127.0.0.1',
    'max-connections': maxConnections,
    'innodb-log-file-size': '8M',
    'innodb-buffer-pool-size': '32M',
    'innodb-flush-log-at-trx-commit': 0, // the data do not outlive this process, let alone a power cut
  };
  return [
    '--skip-name-resolve',
    '--skip-log-bin',
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
  ];
}

/**
 * MariaDB refuses to run as root, so root runs it as `nobody`; where `nobody` cannot reach the keeper or the data (a
 * checkout below /root), as root that believes to be `nobody`, in a user namespace.
 *
 * @param {string} mariadbd
 * @returns {{ command: string[], ids: { uid?: number, gid?: number } }}
 */
function unprivilegedUser(mariadbd) {
  if (process.getuid?.() !== 0) return { command: [], ids: {} };
  const ids = { uid: NOBODY, gid: NOBODY };
  const nobodyCan = [
    ['test', '-x', mariadbd],
    ['test', '-r', KEEPER],
    ['test', '-x', tmpdir()],
  ].every(([command = '', ...args]) => spawnSync(command, args, { ...ids, cwd: '/' }).status === 0);
  if (nobodyCan) return { command: [], ids };
  return { command: ['unshare', '-U', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`], ids: {} };
}

/** @param {{ uid?: number, gid?: number }} ids */
function createDataDirectory({ uid, gid }) {
  const directory = mkdtempSync(join(tmpdir(), 'local-mariadb-'));
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
  return directory;
}

/** @param {string} name */
function find(name) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_DIRECTORIES];
  return directories
    .filter(directory => directory !== '')
    .map(directory => join(directory, name))
    .find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
