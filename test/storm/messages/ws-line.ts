import { io, type Socket } from 'socket.io-client';
import { GuestBook, type Guest } from '../guest.js';
import { Hearings, type Hearing, type Line } from './line.js';
import { messageOf, type Message } from './message.js';

interface Failure {
  readonly cause: { readonly data: Message };
}

/** Over socket.io. */
export class WsLine implements Line {
  readonly closed: Promise<void>;
  private readonly hearings = new Hearings();

  private constructor(private readonly socket: Socket) {
    this.closed = new Promise(resolve => socket.once('disconnect', () => resolve()));
    socket.on('value', (id: number) => this.hearings.value(id));
    socket.on('end', (id: number) => this.hearings.end(id, 200));
    socket.on('exception', ({ cause }: Failure) => {
      this.hearings.end(Number(cause.data.headers[GuestBook.HEADER]), 500);
    });
  }

  /** @param guest the first one who asks on it */
  static async to(url: string, guest: Guest): Promise<WsLine> {
    const extraHeaders = messageOf(guest).headers;
    const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true, extraHeaders });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('connect_error', reject);
    });
    return new WsLine(socket);
  }

  ask(guest: Guest, hearing: Hearing): void {
    const { kind, id } = guest.visit;
    this.hearings.add(guest, hearing);
    this.socket.emit(kind, messageOf(guest), () => this.hearings.end(id, 200));
  }

  leave(suddenly: boolean): void {
    const { ws } = this.socket.io.engine.transport as unknown as { ws: { terminate(): void } };
    if (suddenly) ws.terminate();
    else this.socket.disconnect();
  }
}
