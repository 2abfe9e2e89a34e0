import { Args, Int, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import type { Message, Room } from '../chat/chat.js';
import { ChatRepository } from '../chat/chat.repository.js';
import { MessageType, RoomType } from './types.js';

@Resolver(() => RoomType)
export class RoomsResolver {
  constructor(private readonly chat: ChatRepository) {}

  @Query(() => RoomType, { nullable: true })
  async room(@Args('name') name: string): Promise<Room | undefined> {
    return this.chat.room(name);
  }

  @ResolveField(() => [MessageType])
  messages(
    @Parent() { name }: Room,
    @Args('last', { type: () => Int, defaultValue: 20 }) last: number,
  ): Promise<Message[]> {
    return this.chat.last(name, Math.min(Math.max(last, 0), 100));
  }
}
