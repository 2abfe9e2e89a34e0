import pg from 'pg';

/** Looks at the database from beside the shop and its proxy, also when the server has been away. */
export class Observer implements AsyncDisposable {
  private client: pg.Client | undefined;

  constructor(private readonly url: string) {}

  async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    const client = (this.client ??= await this.connect());
    try {
      return (await client.query<R>(text, values)).rows;
    } catch (error) {
      this.client = undefined;
      await client.end();
      throw error;
    }
  }

  /** @returns undefined when the server is away */
  tryTo(text: string, values: unknown[] = []): Promise<pg.QueryResultRow[] | undefined> {
    return this.sql(text, values).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client?.end();
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.url);
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}
