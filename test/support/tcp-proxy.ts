import { randomInt } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

interface ProxyEvents {
  /** A client has connected. */
  connection: [];
  /** A client has sent something that does not get through. */
  held: [];
  /** A server has answered, and that is lost. */
  lost: [];
}

/** How a connection breaks over one message of its client: on the way there, or on the way back. */
export interface Cut {
  /** So many bytes of the message get to the server. By default it arrives. */
  readonly sent?: number;
  /** If it arrives: so many bytes of the answer get to the client. */
  readonly heard?: number;
  /** Milliseconds between the last byte that gets through and the break; nothing is heard meanwhile. Default 0. */
  readonly silence?: number;
}

/** What the network does to connections that are made from now on. */
interface Weather {
  readonly silent: boolean;
  readonly delay: number;
}

/**
 * A network between clients and a server on this machine that fails when it is told to, and counts: it sees every
 * connection from its first byte to its end.
 */
export class TcpProxy extends EventEmitter<ProxyEvents> {
  /** Connections that clients have made. */
  attempts = 0;
  /** Those of them that got as far as the server. */
  reached = 0;
  /** Connections that are open now: until the server has closed its end, or a client that cannot reach it its own. */
  open = 0;
  /** The most that ever were open at once. */
  peak = 0;
  port = 0;
  /** Asked about each message of a client. */
  cutting: (message: Buffer) => Cut | undefined = () => undefined;
  private weather: Weather = { silent: false, delay: 0 };
  private readonly links = new Set<Link>();
  private readonly listener = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    const link = new Link(client, this);
    this.links.add(link);
    client.once('close', () => this.links.delete(link));
    this.attempts++;
    const { silent, delay } = this.weather;
    if (delay > 0) setTimeout(() => link.speak(), delay).unref();
    else if (!silent) link.speak();
    this.emit('connection');
  });

  /** Sockets of clients that are open here now, whatever has come from them. */
  get clients(): number {
    return this.links.size;
  }

  /** @param counts whether a connection that begins with these bytes counts as open */
  private constructor(
    readonly target: number,
    readonly counts: (first: Buffer) => boolean,
  ) {
    super();
  }

  static async before(target: number, counts: (first: Buffer) => boolean = () => true): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, counts);
    while (!proxy.listener.listening) {
      // Below the range of outgoing connections, lest one of them takes the port while it is refused.
      proxy.port = randomInt(20_000, 32_000);
      await proxy.reopen().catch(() => undefined);
    }
    return proxy;
  }

  /** New connections get through only after so many milliseconds; a client that has left by then never does. */
  delay(ms: number): void {
    this.weather = { silent: false, delay: ms };
  }

  /** Nothing gets through in either direction, and nobody is told: no FIN, no RST. */
  blackhole(which: 'old' | 'new' | 'all'): void {
    if (which !== 'new') for (const link of this.links) link.silent = true;
    if (which !== 'old') this.weather = { silent: true, delay: 0 };
  }

  /**
   * On the connections that there are, what clients say gets through, and what servers say is lost for good.
   *
   * @param bytes only so many of each answer are lost, from its end
   */
  deafen(bytes = Infinity): void {
    for (const link of this.links) link.loses = bytes;
  }

  /** The network is whole again: what it held arrives, as TCP would send it again. */
  restore(): void {
    this.weather = { silent: false, delay: 0 };
    for (const link of this.links) link.speak();
  }

  /** Both ends of every connection are told that it is broken. */
  resetAll(): void {
    for (const link of this.links) link.reset();
  }

  /** Nobody listens any more; the connections that there are stay. */
  refuse(): void {
    this.listener.close();
  }

  async reopen(): Promise<void> {
    this.listener.listen(this.port, '127.0.0.1');
    await once(this.listener, 'listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Array.from(this.links, link => link.closed());
    this.resetAll();
    this.listener.close();
    await Promise.all(closed);
  }
}

/** One connection: the socket of the client, and one of our own to the server. */
class Link {
  silent = true;
  /** Bytes. */
  loses = 0;
  private server: Socket | undefined;
  /** It breaks when so many bytes more were heard. */
  private breaking: { bytes: number; readonly silence: number } | undefined;
  private readonly held: (() => void)[] = [];
  private counted: 'not yet' | 'yes' | 'no more' = 'not yet';

  constructor(
    private readonly client: Socket,
    private readonly proxy: TcpProxy,
  ) {
    client.on('error', () => undefined);
    client.on('data', data => {
      this.count(data);
      const cut = proxy.cutting(data);
      const { sent = data.length } = cut ?? {};
      this.pass(() => this.server?.write(data.subarray(0, sent)));
      if (cut) this.cut(cut, sent < data.length);
      if (this.silent) proxy.emit('held');
    });
    client.on('end', () => {
      if (this.silent) this.leave();
      if (this.server) this.pass(() => this.server?.end());
      else client.destroy();
    });
    client.on('close', broken => {
      if (this.silent) this.leave();
      if (broken) this.pass(() => this.server?.destroy());
    });
  }

  speak(): void {
    if (!this.silent) return;
    this.silent = false;
    if (!this.server && !this.client.destroyed) this.dial();
    for (const act of this.held.splice(0)) act();
  }

  reset(): void {
    this.leave();
    for (const socket of [this.client, this.server]) {
      // Node fails to reset what is being shut down, and never closes it then.
      if (socket?.writableEnded) socket.destroy();
      else socket?.resetAndDestroy();
    }
  }

  async closed(): Promise<void> {
    for (const socket of [this.client, this.server]) {
      // A socket that both ends have ended cannot be reset: an error, and closed all the same.
      if (socket && !socket.closed) await once(socket, 'close').catch(() => undefined);
    }
  }

  private dial(): void {
    const { client, proxy } = this;
    const server = (this.server = connect({
      ...{ port: proxy.target, host: '127.0.0.1' },
      ...{ allowHalfOpen: true, noDelay: true },
    }));
    server.on('error', () => undefined);
    server.on('connect', () => proxy.reached++);
    server.on('data', data => {
      if (this.breaking) {
        this.hear(data, this.breaking);
        return;
      }
      const heard = this.loses > 0 ? data.subarray(0, Math.max(0, data.length - this.loses)) : data;
      if (heard.length > 0) this.pass(() => client.write(heard));
      if (heard !== data) proxy.emit('lost');
    });
    server.on('end', () => {
      this.leave();
      this.pass(() => client.end());
    });
    server.on('close', broken => {
      this.leave();
      if (broken) this.pass(() => client.resetAndDestroy());
    });
  }

  private cut({ heard = Infinity, silence = 0 }: Cut, atOnce: boolean): void {
    this.breaking = { bytes: atOnce ? 0 : heard, silence };
    if (atOnce) this.breakAfter(silence);
  }

  private hear(data: Buffer, breaking: { bytes: number; readonly silence: number }): void {
    const heard = data.subarray(0, breaking.bytes);
    if (heard.length > 0) this.pass(() => this.client.write(heard));
    breaking.bytes -= heard.length;
    if (breaking.bytes === 0) this.breakAfter(breaking.silence);
  }

  private breakAfter(ms: number): void {
    if (ms === 0) this.reset();
    else setTimeout(() => this.reset(), ms).unref();
  }

  private pass(act: () => void): void {
    if (this.silent) this.held.push(act);
    else act();
  }

  private count(first: Buffer): void {
    if (this.counted !== 'not yet' || !this.proxy.counts(first)) return;
    this.counted = 'yes';
    this.proxy.peak = Math.max(this.proxy.peak, ++this.proxy.open);
  }

  private leave(): void {
    if (this.counted === 'yes') this.proxy.open--;
    this.counted = 'no more';
  }
}
