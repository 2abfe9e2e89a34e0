import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.js';

/** One connection that a test writes requests on as it likes: one after the other, or pipelined. */
export class KeepAliveClient {
  private text = '';

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', chunk => (this.text += String(chunk)));
    socket.on('error', () => undefined);
  }

  static async connect(port: number): Promise<KeepAliveClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new KeepAliveClient(socket);
  }

  /** All are sent before the first is answered. */
  send(...paths: string[]): void {
    this.socket.write(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
  }

  /** Until at least as many texts like this have arrived since the connection was made. */
  async received(text: string, times = 1): Promise<void> {
    await until(
      () => this.text.split(text).length - 1,
      count => count >= times,
    );
  }

  lose(): void {
    this.socket.destroy();
  }
}
