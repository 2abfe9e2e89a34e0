import { Field, Int, ObjectType } from '@nestjs/graphql';
import type { Author, Message, Room } from '../chat/chat.js';

@ObjectType('Author')
export class AuthorType implements Author {
  @Field(() => Int) id!: number;
  @Field() name!: string;
}

@ObjectType('Message')
export class MessageType implements Message {
  @Field(() => Int) id!: number;
  @Field() text!: string;
  room!: string;
  authorId!: number;
}

@ObjectType('Room')
export class RoomType implements Room {
  @Field() name!: string;
  @Field(() => Int) said!: number;
}
