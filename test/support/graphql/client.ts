import { createClient, type Client, type FormattedExecutionResult } from 'graphql-ws';
import { WebSocket } from 'ws';

export type Result = FormattedExecutionResult<Record<string, unknown>, unknown>;

/** What a client has been sent for one subscription. */
export class Received {
  readonly results: Result[] = [];
  /** It was refused with these; or the connection was lost. */
  error: unknown = undefined;
  over = false;
  unsubscribe: () => void = () => undefined;
  private waiting: (() => void)[] = [];

  tell(change: Partial<Pick<Received, 'error' | 'over'>>, result?: Result): void {
    Object.assign(this, change);
    if (result) this.results.push(result);
    for (const wake of this.waiting.splice(0)) wake();
  }

  /** The result of this number, from 1. */
  async result(number: number): Promise<Result> {
    while (this.results.length < number && !this.over) await this.change();
    const result = this.results[number - 1];
    if (!result) throw new Error(`over after ${this.results.length}`, { cause: this.error });
    return result;
  }

  async ended(): Promise<void> {
    while (!this.over) await this.change();
  }

  private change(): Promise<void> {
    return new Promise(resolve => this.waiting.push(resolve));
  }
}

/** A client with one connection, which a test can lose at any moment. */
export class GraphqlClient {
  private readonly client: Client;
  private socket: WebSocket | undefined;
  private readonly open: Promise<unknown>;

  constructor(url: string, headers: Record<string, string> = {}) {
    const keep = (socket: WebSocket): void => {
      this.socket = socket;
    };
    class Socket extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { headers });
        keep(this);
      }
    }
    this.client = createClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: Socket,
      retryAttempts: 0,
      // It stays when nothing is subscribed to.
      lazy: false,
      onNonLazyError: () => undefined,
    });
    this.open = new Promise(resolve => this.client.on('connected', resolve));
  }

  /** The server has said that it may subscribe. */
  async connected(): Promise<void> {
    await this.open;
  }

  subscribe(query: string, variables?: Record<string, unknown>): Received {
    const received = new Received();
    received.unsubscribe = this.client.subscribe(
      { query, ...(variables && { variables }) },
      {
        next: result => received.tell({}, result),
        error: error => received.tell({ error, over: true }),
        complete: () => received.tell({ over: true }),
      },
    );
    return received;
  }

  /** The one result of a query or mutation. */
  ask(query: string): Promise<Result> {
    return this.subscribe(query).result(1);
  }

  /** Reads no more, and says nothing of it. */
  stopReading(): void {
    (this.socket as unknown as { _socket: { pause(): void } })._socket.pause();
  }

  /** Without a word to the server. */
  lose(): void {
    // Where it is not connected yet, that is an error.
    this.socket?.on('error', () => undefined).terminate();
    void this.client.dispose();
  }
}
