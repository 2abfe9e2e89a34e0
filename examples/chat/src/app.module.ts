import { Module, type DynamicModule } from '@nestjs/common';
import { PoolHealthModule } from 'nestjs-pool/terminus';
import { ChatModule } from './chat/chat.module.js';
import { DatabaseModule } from './database.module.js';
import { GraphqlModule } from './graphql/graphql.module.js';
import { StatsController } from './stats.controller.js';

@Module({})
export class AppModule {
  static with(databaseUrl: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.with(databaseUrl),
        ChatModule,
        GraphqlModule,
        PoolHealthModule.forRoot({ pools: ['chat-db'] }),
      ],
      controllers: [StatsController],
    };
  }
}
