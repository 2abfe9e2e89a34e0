import { Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import type { Author, Message } from '../chat/chat.js';
import type { AuthorsLoader } from './authors-loader.js';
import { AuthorType, MessageType } from './types.js';

@Resolver(() => MessageType)
export class MessagesResolver {
  @ResolveField(() => AuthorType)
  author(@Parent() { authorId }: Message, @Context('authors') authors: AuthorsLoader): Promise<Author> {
    return authors.load(authorId);
  }
}
