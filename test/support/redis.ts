import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from './until.js';

/** Why Redis does not start here; undefined when it does. */
export function whyNoRedis(): string | undefined {
  const { error, status, stderr } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  if (error) return error.message;
  return status === 0 ? undefined : stderr;
}

/** As `describe`, where there is a Redis; elsewhere it says why its tests are skipped. */
export function describeWithRedis(): (name: string, tests: () => void) => void {
  const why = whyNoRedis();
  if (why === undefined) return describe;
  console.warn(`skipped: needs Redis (Debian: redis-server): ${why}`);
  return (name, tests) => describe.skip(`${name} (skipped: needs Redis)`, tests);
}

/** Runs the server for as long as the process at the other end of stdin lives, however that ends. */
const KEEPER = '"$@" <&- & server=$!; cat >/dev/null; kill -KILL $server; wait $server';
const START_ATTEMPTS = 5;

/** What a row of `CLIENT LIST` says. */
export type ClientRow = Readonly<Record<'id' | 'addr' | 'name' | 'db' | 'flags' | 'cmd' | 'resp', string>> &
  Readonly<Record<string, string>>;

/** A Redis server of our own on 127.0.0.1, without persistence. It ends with this process. */
export class LocalRedis implements AsyncDisposable {
  port = 0;
  private keeper: ChildProcess | undefined = undefined;
  private observer: Redis | undefined = undefined;

  private constructor(
    readonly password: string | undefined,
    private readonly options: readonly string[],
    private readonly started: RegExp,
    private readonly sentinel?: string,
  ) {}

  /**
   * @param options further arguments of redis-server, such as `'--maxclients', '50'`
   * @param started what the log says when it is there
   */
  static async start(
    password?: string,
    options: readonly string[] = [],
    started = /Ready to accept connections/,
  ): Promise<LocalRedis> {
    return LocalRedis.make(new LocalRedis(password, options, started));
  }

  /** @param file the configuration, into which a Sentinel writes */
  static startSentinel(file: string): Promise<LocalRedis> {
    return LocalRedis.make(new LocalRedis(undefined, [], /Sentinel ID is/, file));
  }

  private static async make(redis: LocalRedis): Promise<LocalRedis> {
    for (let attempt = 1; ; attempt++) {
      // Below the range of outgoing connections, lest one of them takes the port while the server is stopped.
      redis.port = randomInt(20_000, 32_000);
      try {
        await redis.start();
        return redis;
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  /** Where to connect, as both libraries know it. */
  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again after {@link stop}, on the same port. Nothing happens when it runs. */
  async start(): Promise<void> {
    if (this.keeper) return;
    const address = ['--port', String(this.port), '--bind', '127.0.0.1'];
    const args = this.sentinel
      ? [this.sentinel, '--sentinel', ...address]
      : [
          ...address,
          ...['--dir', tmpdir(), '--save', ''],
          ...['--appendonly', 'no', '--enable-debug-command', 'local'],
          ...(this.password === undefined ? [] : ['--requirepass', this.password]),
          ...this.options,
        ];
    const keeper = spawn('sh', ['-c', KEEPER, 'sh', 'redis-server', ...args], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    keeper.stdin.on('error', () => undefined);
    let log = '';
    await new Promise<void>((resolve, reject) => {
      keeper.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        log = (log + chunk).slice(-2_000);
        if (this.started.test(log)) resolve();
      });
      keeper.stdout.once('end', () => reject(new Error(`Redis did not start:\n${log}`)));
      keeper.once('error', reject);
    }).catch((error: unknown) => {
      keeper.stdin.end();
      throw error;
    });
    keeper.stdout.resume();
    this.keeper = keeper;
  }

  /** Ends the server at once. When this resolves, it is gone. */
  async stop(): Promise<void> {
    this.observer?.disconnect();
    this.observer = undefined;
    const { keeper } = this;
    this.keeper = undefined;
    if (!keeper) return;
    const exited = once(keeper, 'close');
    keeper.stdin!.end();
    await exited;
  }

  /** A command past all pools and networks. */
  async call(name: string, ...args: (string | number)[]): Promise<unknown> {
    if (!this.observer) {
      const { password = null } = this;
      this.observer = new Redis({
        ...this.address,
        ...(password === null ? {} : { password }),
        connectionName: 'observer',
        lazyConnect: true,
        retryStrategy: null,
        enableReadyCheck: false,
      });
      this.observer.on('error', () => undefined);
    }
    return this.observer.call(name, ...args);
  }

  /** The connections that the server has at this moment, but for the one that looks. */
  async clients(): Promise<ClientRow[]> {
    const list = (await this.call('CLIENT', 'LIST')) as string;
    return rowsOf(list).filter(({ name }) => name !== 'observer');
  }

  /** The only connection that the server has. */
  async client(): Promise<ClientRow> {
    const rows = await this.clients();
    if (rows.length !== 1) throw new Error(`expected one client, not ${JSON.stringify(rows)}`);
    return rows[0]!;
  }

  async untilClients(count: number): Promise<void> {
    await until(
      () => this.clients(),
      rows => rows.length === count,
    );
  }

  /** Resolves when a connection has these flags: b blocked, x in a transaction, P subscribed, O monitors. */
  async untilFlags(flags: string): Promise<void> {
    await until(
      () => this.clients(),
      rows => rows.some(row => row.flags.includes(flags)),
    );
  }

  async kill(id: string): Promise<void> {
    await this.call('CLIENT', 'KILL', 'ID', id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Reads what `CLIENT LIST` and `CLIENT INFO` answer. */
export function rowsOf(list: string): ClientRow[] {
  const lines = list.trim().split('\n');
  return lines.map(
    line => Object.fromEntries(line.split(' ').map(field => splitOnce(field, '='))) as ClientRow,
  );
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}
