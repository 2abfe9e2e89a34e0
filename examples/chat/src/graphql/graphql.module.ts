import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { ChatModule } from '../chat/chat.module.js';
import { ChatRepository } from '../chat/chat.repository.js';
import { authorsLoader } from './authors-loader.js';
import { MessagesResolver } from './messages.resolver.js';
import { RoomsResolver } from './rooms.resolver.js';

@Module({
  imports: [
    ChatModule,
    GraphQLModule.forRootAsync<ApolloDriverConfig>({
      driver: ApolloDriver,
      imports: [ChatModule],
      inject: [ChatRepository],
      useFactory: (chat: ChatRepository) => ({
        autoSchemaFile: true,
        // Nest adds `req`, the request: by that, all resolvers find the one connection that they share.
        context: () => ({ authors: authorsLoader(chat) }),
      }),
    }),
  ],
  providers: [MessagesResolver, RoomsResolver],
})
export class GraphqlModule {}
