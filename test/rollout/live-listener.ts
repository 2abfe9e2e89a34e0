import { Call } from '../support/http-client.js';

/** Listens to `/orders/live` as an `EventSource` does: when the stream has ended it connects again. */
export class LiveListener implements AsyncDisposable {
  /** Streams that were ended in order by the other side. */
  completed = 0;
  /** Anything else that ended one. */
  readonly failures: string[] = [];
  /** What has come on the present stream. */
  heard = '';
  private call: Call | undefined;
  private left = false;
  private readonly listening: Promise<void>;

  constructor(private readonly url: string) {
    this.listening = this.listen();
  }

  /** The server has said that it listens to the database. */
  get isAttached(): boolean {
    return this.heard.includes(': listening');
  }

  private async listen(): Promise<void> {
    while (!this.hasLeft() && this.failures.length === 0) {
      this.heard = '';
      this.call = new Call(this.url, { headers: { accept: 'text/event-stream' } });
      try {
        const response = await this.call.response;
        if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
        for await (const chunk of response.setEncoding('utf8')) this.heard += chunk as string;
        this.completed++;
      } catch (error) {
        if (!this.hasLeft()) this.failures.push(String(error));
      }
    }
  }

  private hasLeft(): boolean {
    return this.left;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.left = true;
    this.call?.leave();
    await this.listening;
  }
}
