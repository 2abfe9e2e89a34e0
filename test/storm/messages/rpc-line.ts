import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { factsOf } from '../kinds.js';
import type { Guest } from '../guest.js';
import { Hearings, type Hearing, type Line } from './line.js';
import { messageOf } from './message.js';

/** What a TCP microservice of Nest answers. */
interface Packet {
  readonly id: string;
  readonly response?: unknown;
  readonly err?: unknown;
  readonly isDisposed?: boolean;
}

/** To a microservice over TCP, without Nest's client, which cannot vanish. */
export class RpcLine implements Line {
  readonly closed: Promise<void>;
  private readonly hearings = new Hearings();
  private unread = '';

  private constructor(private readonly socket: Socket) {
    this.closed = new Promise(resolve => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (chunk: Buffer | string) => {
      this.unread += String(chunk);
      for (let packet = this.take(); packet; packet = this.take()) this.hear(packet);
    });
  }

  static async to(port: number): Promise<RpcLine> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RpcLine(socket);
  }

  ask(guest: Guest, hearing: Hearing): void {
    const { id, kind } = guest.visit;
    if (factsOf(kind).told) {
      // Nobody answers an event: it is looked at how it goes.
      guest.when('done', () => hearing.end(200));
      guest.when('failed', () => hearing.end(500));
      this.send({ pattern: kind, data: messageOf(guest) });
    } else {
      this.hearings.add(guest, hearing);
      this.send({ pattern: kind, data: messageOf(guest), id: String(id) });
    }
  }

  leave(suddenly: boolean): void {
    if (suddenly) this.socket.destroy();
    else this.socket.end();
  }

  private send(packet: object): void {
    const text = JSON.stringify(packet);
    this.socket.write(`${text.length}#${text}`);
  }

  private hear({ id, err, response, isDisposed }: Packet): void {
    if (err !== undefined) this.hearings.end(Number(id), 500);
    else if (response !== undefined) this.hearings.value(Number(id));
    if (isDisposed) this.hearings.end(Number(id), 200);
  }

  private take(): Packet | undefined {
    const [head = ''] = this.unread.split('#', 1);
    const begin = head.length + 1;
    const end = begin + Number(head);
    if (this.unread.length < begin || this.unread.length < end) return undefined;
    const text = this.unread.slice(begin, end);
    this.unread = this.unread.slice(end);
    return JSON.parse(text) as Packet;
  }
}
