import { describe } from '@jest/globals';
import { startMariadb, whyNoMariadb, type LocalMariadb, type MariadbOptions } from 'local-mariadb';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { until } from './until.js';

/** As `describe`, where there is a MariaDB; elsewhere it says why its tests are skipped. */
export function describeWithMariadb(name: string, tests: () => void): void {
  const why = whyNoMariadb();
  if (why === undefined) describe(name, tests);
  else {
    console.warn(`skipped: needs MariaDB. ${why}`);
    describe.skip(`${name} (skipped: needs MariaDB)`, tests);
  }
}

/** A server for the tests of one file. */
export function launchMariadb(options: MariadbOptions = {}): Promise<LocalMariadb> {
  return startMariadb({ maxConnections: 40, ...options });
}

export interface ServerSession extends RowDataPacket {
  readonly id: number;
  readonly command: string;
  readonly info: string | null;
}

/** A MariaDB, and a connection of its own to look at it from outside. */
export class MariadbWatch {
  private static count = 0;
  /** Tells the connections of one test from all others. */
  readonly user = `watched_${process.pid}_${MariadbWatch.count++}`;

  private constructor(
    readonly local: LocalMariadb,
    private observer: Connection,
  ) {}

  static async open(local: LocalMariadb): Promise<MariadbWatch> {
    const watch = new MariadbWatch(local, await observe(local));
    await watch.sql(`create user ${watch.user}@'127.0.0.1'`);
    await watch.sql(`grant all privileges on *.* to ${watch.user}@'127.0.0.1' with grant option`);
    return watch;
  }

  /** What a pool needs to connect so that it is watched. */
  get config(): { host: string; port: number; user: string; database: string } {
    return { host: '127.0.0.1', port: this.local.port, user: this.user, database: this.local.database };
  }

  async sql<R extends RowDataPacket>(text: string, values: unknown[] = []): Promise<R[]> {
    const [rows] = await this.observer.query<R[]>(text, values);
    return rows;
  }

  /** After the server was away. */
  async reconnect(): Promise<void> {
    this.observer.destroy();
    this.observer = await observe(this.local);
  }

  /** The sessions that the watched connections have on the server at this moment. */
  async sessions(): Promise<ServerSession[]> {
    return this.sql<ServerSession>(
      'select id, command, info from information_schema.processlist where user = ?',
      [this.user],
    );
  }

  async untilSessions(count: number): Promise<void> {
    await until(
      () => this.sessions(),
      sessions => sessions.length === count,
    );
  }

  async untilRunning(text: string): Promise<void> {
    await until(
      () => this.sessions(),
      sessions => sessions.some(({ info }) => info?.includes(text)),
    );
  }

  async kill(id: number): Promise<void> {
    await this.sql(`KILL ${id}`);
  }

  /** How many requests of this kind the server has got, from everybody but the observer's own queries. */
  async count(status: string): Promise<number> {
    const [row] = await this.sql<RowDataPacket>('show global status where variable_name = ?', [status]);
    return Number(row?.Value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer.end();
  }
}

async function observe({ port, database }: LocalMariadb): Promise<Connection> {
  const observer = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root', database });
  observer.on('error', () => undefined);
  return observer;
}
