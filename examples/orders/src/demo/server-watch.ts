import pg from 'pg';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY = 5;

/** Looks at the shop's connections from the server's side, all the time, and through a connection of its own. */
export class ServerWatch {
  samples = 0;
  /** The most connections that were open at the same moment. */
  peak = 0;
  private stopped = false;
  private readonly looking: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly application: string,
  ) {
    this.looking = this.look();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.looking;
  }

  /** How many connections are in which state: idle, active, idle in transaction. */
  async connections(): Promise<Map<string, number>> {
    const rows = await this.query<{ state: string; count: number }>(
      'select state, count(*)::int from pg_stat_activity where application_name = $1 group by state',
      [this.application],
    );
    return new Map(rows.map(({ state, count }) => [state, count]));
  }

  /** @returns how many there were */
  async killAll(): Promise<number> {
    const rows = await this.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
      [this.application],
    );
    return rows.length;
  }

  async query<R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    const client = await this.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  private async look(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.lookUntilItFails();
      } catch {
        // The server is down.
        await pause(LOOK_EVERY);
      }
    }
  }

  private async lookUntilItFails(): Promise<void> {
    const client = await this.connect();
    while (!this.stopped) {
      const { rows } = await client.query<{ count: number }>(
        'select count(*)::int from pg_stat_activity where application_name = $1',
        [this.application],
      );
      this.samples++;
      this.peak = Math.max(this.peak, rows[0]?.count ?? 0);
      await pause(LOOK_EVERY);
    }
    await client.end();
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'orders-demo-watch' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}
