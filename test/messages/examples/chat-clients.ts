import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { io, type Socket } from 'socket.io-client';
import { ExampleProcess } from '../../examples/example-process.js';
import { Call } from '../../support/http-client.js';

/** The example as a process, and clients of all it can be reached by. */
export class ChatProcess extends ExampleProcess {
  private readonly sockets: Socket[] = [];
  private tcp: ClientProxy | undefined;

  constructor(databaseUrl: string) {
    super('chat', { DATABASE_URL: databaseUrl, TCP_PORT: '0' });
  }

  /** Is about to connect: what it is told can be listened to from the first word. */
  connect(token: string): Socket {
    const socket = io(this.url, {
      auth: { token },
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    this.sockets.push(socket);
    return socket;
  }

  /** Connects, and has joined the rooms when it resolves. */
  async member(token: string, ...rooms: string[]): Promise<Socket> {
    const socket = this.connect(token);
    for (const room of rooms) await socket.emitWithAck('join', room);
    return socket;
  }

  /** Of other services, by TCP. */
  get moderator(): ClientProxy {
    this.tcp ??= ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { port: Number(/at TCP port (\d+)/.exec(this.output)?.[1]) },
    });
    return this.tcp;
  }

  async query(query: string): Promise<Record<string, unknown>> {
    const answer = await new Call(`${this.url}/graphql`, { method: 'POST', body: { query } }).answer();
    return JSON.parse(answer.body) as Record<string, unknown>;
  }

  /** All clients over WebSockets say goodbye. */
  hangUp(): void {
    for (const socket of this.sockets.splice(0)) socket.disconnect();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await this.tcp?.close();
    await super[Symbol.asyncDispose]();
  }
}

/** The next event of that name. */
export function next(socket: Socket, event: string): Promise<unknown> {
  return new Promise(resolve => socket.once(event, resolve));
}

/** The connection ends without a word, as when a client's process is killed. */
export function kill(socket: Socket): void {
  const { ws } = socket.io.engine.transport as unknown as { ws: { terminate(): void } };
  ws.terminate();
}
