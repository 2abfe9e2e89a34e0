import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import pg from 'pg';
import { until } from './until.js';

/** A PostgreSQL, and a connection of its own to look at it from outside. */
export class PostgresWatch {
  private static count = 0;
  /** Tells the connections of one test from all others. */
  readonly application = `watched-${process.pid}-${PostgresWatch.count++}`;

  private constructor(
    readonly url: string,
    readonly local: LocalPostgres,
    private readonly observer: pg.Client,
  ) {}

  /** @param url to look from, as somebody else */
  static async open(local: LocalPostgres, url = local.url): Promise<PostgresWatch> {
    const observer = new pg.Client(url);
    observer.on('error', () => {});
    await observer.connect();
    return new PostgresWatch(local.url, local, observer);
  }

  /** What a pool needs to connect so that it is watched. */
  get config(): { connectionString: string; application_name: string } {
    return { connectionString: this.url, application_name: this.application };
  }

  async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.observer.query<R>(text, values)).rows;
  }

  /** The backends that the watched connections have on the server at this moment. */
  async backends(): Promise<{ pid: number; state: string; query: string }[]> {
    return this.sql('select pid, state, query from pg_stat_activity where application_name = $1', [
      this.application,
    ]);
  }

  async untilBackends(count: number): Promise<void> {
    await until(
      () => this.backends(),
      backends => backends.length === count,
    );
  }

  async untilRunning(query: string): Promise<void> {
    await until(
      () => this.backends(),
      backends => backends.some(backend => backend.state === 'active' && backend.query.includes(query)),
    );
  }

  async terminate(pid: number): Promise<void> {
    await this.sql('select pg_terminate_backend($1)', [pid]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer.end();
  }
}

/** A server for the tests of one file. */
export function launchPostgres(): Promise<LocalPostgres> {
  return startPostgres({ maxConnections: 30 });
}

/** Accepts connections and says nothing, or only what it is told to say to the first bytes that come. */
export class MuteServer {
  readonly sockets: Socket[] = [];
  private readonly server = createServer(socket => {
    this.sockets.push(socket);
    socket.on('error', () => {});
    if (this.greeting === undefined) socket.resume();
    else socket.once('data', () => socket.resume().write(this.greeting!));
  });

  private constructor(private readonly greeting: string | undefined) {}

  static async listen(greeting?: string): Promise<MuteServer> {
    const mute = new MuteServer(greeting);
    mute.server.listen(0, '127.0.0.1');
    await once(mute.server, 'listening');
    return mute;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async accepted(): Promise<Socket> {
    if (!this.sockets[0]) await once(this.server, 'connection');
    return this.sockets[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
