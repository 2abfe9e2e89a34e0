import { Logger, UseGuards } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  WsException,
  type OnGatewayConnection,
  type WsResponse,
} from '@nestjs/websockets';
import { describeCapacityError } from 'nestjs-pool';
import { concat, from, map, of, type Observable } from 'rxjs';
import { Server } from 'socket.io';
import type { Author, Line, Room } from './chat.js';
import { ChatRepository } from './chat.repository.js';
import { ChatService } from './chat.service.js';
import { SignedIn, type ChatSocket } from './signed-in.guard.js';
import { textOf } from './text.js';

@UseGuards(SignedIn)
@WebSocketGateway()
export class ChatGateway implements OnGatewayConnection {
  private readonly log = new Logger(ChatGateway.name);
  @WebSocketServer() private readonly server!: Server;

  constructor(
    private readonly chat: ChatService,
    private readonly repository: ChatRepository,
  ) {}

  /**
   * A unit of work of its own: the connection to the database is back when this has settled, however long the client stays.
   * Its messages may come earlier: they wait for what this finds out.
   */
  async handleConnection(client: ChatSocket): Promise<void> {
    client.data.author = this.authorOf(client);
    try {
      const { id, name } = await client.data.author;
      await client.join(everywhere(id));
      client.emit('welcome', name);
    } catch (error) {
      // No filter of Nest's is asked here, and what is thrown would end the process.
      const known = error instanceof WsException ? { message: error.message } : describeCapacityError(error);
      if (!known && client.connected) this.log.error(error);
      client.emit('exception', { status: 'error', ...(known ?? { message: 'Internal server error' }) });
      client.disconnect();
    }
  }

  @SubscribeMessage('join')
  async join(@ConnectedSocket() client: ChatSocket, @MessageBody() name: unknown): Promise<Room> {
    const room = await this.repository.room(textOf(name, 'room'));
    if (!room) throw new WsException('There is no such room');
    await client.join(room.name);
    return room;
  }

  /** What it returns is the acknowledgement. */
  @SubscribeMessage('say')
  async say(
    @ConnectedSocket() client: ChatSocket,
    @MessageBody() body: { room?: unknown; text?: unknown },
  ): Promise<Line> {
    const room = textOf(body.room, 'room');
    if (!client.rooms.has(room)) throw new WsException('Join the room first');
    const line = await this.chat.say(room, await client.data.author, textOf(body.text, 'text'));
    // It is committed: nobody hears of what is not kept.
    client.to(room).emit('said', line);
    return line;
  }

  /**
   * An event for each message, and one with null at the end. Until then the connection is borrowed, or until the client
   * leaves: Nest unsubscribes, and nothing more is read.
   */
  @SubscribeMessage('history')
  history(@MessageBody() room: unknown): Observable<WsResponse<Line | null>> {
    const lines = from(this.repository.history(textOf(room, 'room')));
    return concat(lines, of(null)).pipe(map(data => ({ event: 'history', data })));
  }

  tellHidden(room: string, id: number): void {
    this.server.to(room).emit('hidden', id);
  }

  sendAway(author: Author): void {
    this.server.in(everywhere(author.id)).disconnectSockets();
  }

  private async authorOf(client: ChatSocket): Promise<Author> {
    const { token } = client.handshake.auth as { token?: unknown };
    const author = await this.repository.authorByToken(textOf(token, 'token'));
    if (!author) throw new WsException('Nobody has this token');
    return author;
  }
}

/** The sockets of an author. Not the name of a room: those are in the database. */
function everywhere(id: number): string {
  return `author ${id}`;
}
