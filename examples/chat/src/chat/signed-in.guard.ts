import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { DefaultEventsMap, Socket } from 'socket.io';
import type { Author } from './chat.js';

export type ChatSocket = Socket<
  DefaultEventsMap,
  DefaultEventsMap,
  DefaultEventsMap,
  { author: Promise<Author> }
>;

/** Has messages wait until it is known whose they are. They borrow nothing meanwhile. */
@Injectable()
export class SignedIn implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    await context.switchToWs().getClient<ChatSocket>().data.author;
    return true;
  }
}
