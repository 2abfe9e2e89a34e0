import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

/** A client that speaks HTTP/2 in clear text, many requests on one connection. */
export class Http2Client {
  private constructor(private readonly session: ClientHttp2Session) {
    session.on('error', () => undefined);
  }

  static async connect(url: string): Promise<Http2Client> {
    const session = connect(url);
    await once(session, 'connect');
    return new Http2Client(session);
  }

  call(path: string, headers: Record<string, string> = {}): Http2Call {
    return new Http2Call(this.session.request({ ':path': path, ...headers }));
  }

  /** The whole connection is lost, with all its requests. */
  lose(): void {
    this.session.destroy();
  }
}

export class Http2Call {
  readonly status: Promise<number>;

  constructor(private readonly stream: ClientHttp2Stream) {
    stream.on('error', () => undefined);
    this.status = once(stream, 'response').then(([headers]) =>
      Number((headers as Record<string, unknown>)[':status']),
    );
    this.status.catch(() => undefined);
  }

  async body(): Promise<string> {
    let text = '';
    this.stream.setEncoding('utf8');
    for await (const chunk of this.stream) text += chunk as string;
    return text;
  }

  /** The first bytes of the body; the rest stays unread. */
  async firstBytes(): Promise<string> {
    const [chunk] = (await once(this.stream, 'data')) as [Buffer];
    this.stream.pause();
    return chunk.toString();
  }

  /** Resets this one request, and leaves the others of the connection alone. */
  leave(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }
}
