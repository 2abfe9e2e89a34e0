import { Module } from '@nestjs/common';
import { ChatGateway } from './chat.gateway.js';
import { ChatRepository } from './chat.repository.js';
import { ChatService } from './chat.service.js';
import { ModerationController } from './moderation.controller.js';

@Module({
  controllers: [ModerationController],
  providers: [ChatGateway, ChatRepository, ChatService],
  exports: [ChatRepository],
})
export class ChatModule {}
