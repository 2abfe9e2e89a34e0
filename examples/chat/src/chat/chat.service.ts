import { Injectable } from '@nestjs/common';
import { Transactional } from 'nestjs-pool';
import type { Author, Line } from './chat.js';
import { ChatRepository } from './chat.repository.js';

@Injectable()
export class ChatService {
  constructor(private readonly chat: ChatRepository) {}

  /** Both are kept, or neither; when it resolves, they are committed. */
  @Transactional('chat-db')
  async say(room: string, author: Author, text: string): Promise<Line> {
    const line = await this.chat.add(room, author, text);
    await this.chat.count(room, 1);
    return line;
  }

  /** @returns the room that it was hidden in, if it was to be seen */
  @Transactional('chat-db')
  async hide(id: number, reason: string): Promise<string | undefined> {
    const room = await this.chat.hide(id, reason);
    if (room !== undefined) await this.chat.count(room, -1);
    return room;
  }
}
