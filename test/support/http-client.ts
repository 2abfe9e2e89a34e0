import { once } from 'node:events';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A client of real sockets that a test can let leave at any moment. */
export class Call {
  private readonly outgoing;
  /** The head of the answer. */
  readonly response: Promise<IncomingMessage>;
  /** The server has read the head, and asks for the body (`Expect: 100-continue`). */
  readonly mayContinue: Promise<unknown>;

  /** @param bodyAfter the body is sent when this has come about, the head at once */
  constructor(
    url: string,
    { body, bodyAfter, ...options }: RequestOptions & { body?: unknown; bodyAfter?: Promise<unknown> } = {},
  ) {
    this.outgoing = request(url, { agent: false, ...options });
    this.response = once(this.outgoing, 'response').then(([response]) => response as IncomingMessage);
    this.mayContinue = once(this.outgoing, 'continue');
    this.response.catch(() => undefined);
    this.mayContinue.catch(() => undefined);
    this.outgoing.on('error', () => undefined);
    if (body !== undefined && !this.outgoing.headersSent) {
      this.outgoing.setHeader('content-type', 'application/json');
    }
    const send = (): void => void this.outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    if (bodyAfter) {
      this.outgoing.flushHeaders();
      void bodyAfter.then(send);
    } else {
      send();
    }
  }

  /** The whole answer. */
  async answer(): Promise<Answer> {
    const response = await this.response;
    let body = '';
    response.setEncoding('utf8');
    for await (const chunk of response) body += chunk as string;
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }

  /** The head and the first bytes of the body; the rest stays unread. */
  async firstBytes(): Promise<string> {
    const response = await this.response;
    const [chunk] = (await once(response, 'data')) as [Buffer];
    response.pause();
    return chunk.toString();
  }

  /** Reads what is left of a body of which the first bytes have been read. */
  async rest(): Promise<void> {
    const response = await this.response;
    response.resume();
    await once(response, 'end');
  }

  leave(): void {
    this.outgoing.destroy();
  }
}

export function get(url: string): Promise<Answer> {
  return new Call(url).answer();
}
