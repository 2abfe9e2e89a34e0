import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { ChatGateway } from './chat.gateway.js';
import { ChatRepository } from './chat.repository.js';
import { ChatService } from './chat.service.js';

/** For other services, over TCP. */
@Controller()
export class ModerationController {
  constructor(
    private readonly chat: ChatService,
    private readonly repository: ChatRepository,
    private readonly gateway: ChatGateway,
  ) {}

  @MessagePattern('messages.hide')
  async hide(@Payload() { id, reason }: { id?: unknown; reason?: unknown }): Promise<{ room: string }> {
    if (!Number.isInteger(id) || typeof reason !== 'string')
      throw new RpcException('which message, and why?');
    const room = await this.chat.hide(id as number, reason);
    if (room === undefined) throw new RpcException('There is no such message');
    this.gateway.tellHidden(room, id as number);
    return { room };
  }

  /** Nobody waits for an answer: what goes wrong here is in the log only. */
  @EventPattern('user.left')
  async left(@Payload() { name }: { name?: unknown }): Promise<void> {
    const author = await this.repository.forget(String(name));
    if (author) this.gateway.sendAway(author);
  }
}
