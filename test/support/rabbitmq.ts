import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import amqp from 'amqplib';
import { Tethered } from './tethered.js';
import { until } from './until.js';

/** Past the wrapper of Debian, which insists on a user of its own. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const EPMD = '/usr/bin/epmd';

/** As `describe`, where there is a RabbitMQ; elsewhere it says that its tests are skipped. */
export function describeWithRabbitmq(name: string, tests: () => void): void {
  if (existsSync(SERVER) && existsSync(EPMD)) {
    describe(name, tests);
    return;
  }
  console.warn('skipped: needs RabbitMQ (Debian: rabbitmq-server)');
  describe.skip(`${name} (skipped: needs RabbitMQ)`, tests);
}

/** A broker of our own, with its files in a folder of its own, and its own daemon of Erlang for names. */
export class Rabbitmq {
  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly processes: readonly Tethered[],
  ) {}

  static async start(): Promise<Rabbitmq> {
    const directory = await mkdtemp(join(tmpdir(), 'nestjs-pool-rabbitmq-'));
    // Below the range of outgoing connections.
    const port = randomInt(20_000, 31_000);
    await writeFile(
      join(directory, 'rabbitmq.conf'),
      `listeners.tcp.1 = 127.0.0.1:${port}\nlog.console = true\nlog.file = false\n`,
    );
    const env = {
      ...process.env,
      HOME: directory,
      ERL_EPMD_PORT: String(port + 1),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `pool${port}@localhost`,
      RABBITMQ_DIST_PORT: String(port + 2),
      RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
      RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
      RABBITMQ_LOG_BASE: join(directory, 'log'),
      RABBITMQ_PID_FILE: join(directory, 'pid'),
    };
    const names = Tethered.run(EPMD, [], env);
    const server = Tethered.run(SERVER, [], env);
    const broker = new Rabbitmq(port, directory, [server, names]);
    try {
      await until(
        () => server.said.includes('Server startup complete'),
        ready => ready,
        // Five seconds on a machine that has nothing else to do.
        100_000,
      );
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The user that RabbitMQ begins with. */
  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.port}`;
  }

  /** A connection to look at it from outside. */
  connect(): Promise<amqp.ChannelModel> {
    return amqp.connect(this.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.processes) await each.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
