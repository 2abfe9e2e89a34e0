import { describe, expect, it } from '@jest/globals';
import { Processor, WorkerHost, OnWorkerEvent } from '@nestjs/bullmq';
import {
  Controller,
  Get,
  Injectable,
  SetMetadata,
  UseGuards,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { CommandHandler, EventsHandler } from '@nestjs/cqrs';
import { OnEvent } from '@nestjs/event-emitter';
import { Mutation, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Cron, Interval, Timeout } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Borrow, BorrowSignal, PoolModule, UnknownPoolError, UseBorrowScope } from '../../../src/index.js';

/** What the start of an application says that has this class; nothing when all is well. */
async function start(
  tested: Type,
  kind: 'providers' | 'controllers' = 'providers',
): Promise<Error | undefined> {
  const pools = [
    { name: 'db', create: () => ({}) },
    { name: 'tenants', maxTotal: 2, create: () => ({}) },
  ];
  const module = await Test.createTestingModule({
    imports: [PoolModule.forRoot({ pools })],
    [kind]: [tested],
  }).compile();
  try {
    await module.init();
  } catch (error) {
    return error as Error;
  }
  await module.close();
  return undefined;
}

function asController(type: Type): Type {
  Controller()(type);
  return type;
}

class Message {
  readonly text = '';
}
const Roles = (...roles: string[]): MethodDecorator & ClassDecorator => SetMetadata('roles', roles);
/** As libraries do it that call handlers through Nest's ExternalContextCreator: with the method, or beside it. */
const RabbitSubscribe = (): MethodDecorator => SetMetadata(Symbol('RABBIT_HANDLER'), {});
const Beside = (): MethodDecorator => (target, key) => Reflect.defineMetadata('handler', {}, target, key);

class ByCron {
  @Cron('0 0 * * *') job(@Borrow('db') _: object): void {}
}
class ByCronWithRoles {
  @Roles('admin') @Cron('0 0 * * *') job(@Borrow('db') _: object): void {}
}
class ByCronInScope {
  @Cron('0 0 * * *') @UseBorrowScope() job(@Borrow('db') _: object): void {}
}
class ByInterval {
  @Interval(1_000) job(@Borrow('db') _: object): void {}
}
class ByTimeout {
  @Timeout(1_000) job(@Borrow('db') _: object): void {}
}
class ByEvent {
  @OnEvent('order') job(@Borrow('db') _: object): void {}
}
@CommandHandler(Message)
class ByCommand {
  async execute(_message: Message, @Borrow('db') _: object): Promise<void> {}
}
@EventsHandler(Message)
class ByEventOfCqrs {
  handle(_message: Message, @Borrow('db') _: object): void {}
}
@Processor('mails')
class ByBull extends WorkerHost {
  async process(_job: unknown, _token: string | undefined, @Borrow('db') _?: object): Promise<void> {}
}
@Processor('mails')
class ByBullEvent extends WorkerHost {
  async process(): Promise<void> {}
  @OnWorkerEvent('completed') completed(@Borrow('db') _: object): void {}
}
class AtInit implements OnModuleInit {
  onModuleInit(@Borrow('db') _?: object): void {}
}
@WebSocketGateway()
class AtConnection {
  handleConnection(_client: unknown, @Borrow('db') _: object): void {}
}
@Injectable()
class Plain {
  job(@Borrow('db') _: object): void {}
}
class Inherits extends Plain {}
@Injectable()
class Guarded {
  @UseGuards() job(@Borrow('db') _: object): void {}
}

class ByRoute {
  @Get() find(@Borrow('db') _: object, @BorrowSignal() _signal: AbortSignal): void {}
}
class ByMessage {
  @MessagePattern('order') order(@Borrow('db') _: object): void {}
  @EventPattern('ordered') ordered(@Borrow('db') _: object): void {}
}
@WebSocketGateway()
class ByGateway {
  @SubscribeMessage('order') order(@Borrow('db') _: object, @BorrowSignal() _signal: AbortSignal): void {}
}
@Resolver('Order')
class ByResolver {
  @Query(() => String) one(@Borrow('db') _: object): string {
    return '';
  }
  @Mutation(() => String) two(@Borrow('db') _: object): string {
    return '';
  }
  @ResolveField() three(@Borrow('db') _: object): string {
    return '';
  }
}
class ByStranger {
  @RabbitSubscribe() order(@Borrow('db') _: object): void {}
  @Beside() ordered(@Borrow('db') _: object): void {}
}
@Roles('admin')
class OfStranger {
  order(@Borrow('db') _: object): void {}
}
/** It is a handler no more, and whoever calls it passes what it needs. */
class Overrides extends ByRoute {
  override find(db: object, signal: AbortSignal): void {
    super.find(db, signal);
  }
}

describe('what is borrowed with parameters that nobody evaluates', () => {
  it.each([
    [ByCron, 'job'],
    [ByCronWithRoles, 'job'],
    [ByCronInScope, 'job'],
    [ByInterval, 'job'],
    [ByTimeout, 'job'],
    [ByEvent, 'job'],
    [ByCommand, 'execute'],
    [ByEventOfCqrs, 'handle'],
    [ByBull, 'process'],
    [ByBullEvent, 'completed'],
    [AtInit, 'onModuleInit'],
    [AtConnection, 'handleConnection'],
    [Plain, 'job'],
    [Inherits, 'job'],
    [Guarded, 'job'],
  ] as [Type, string][])('is an error at the start that says what to write (%p)', async (tested, method) => {
    const error = await start(tested);
    expect(error?.message).toContain(`${tested.name}.${method}() has @Borrow('db') on a parameter`);
    expect(error?.message).toContain('@UseBorrowScope() on the method');
    expect(error?.message).toContain("@InjectBorrowed('db')");
  });

  it('is one also of a controller, and of a signal', async () => {
    @Controller()
    class Orders {
      @Cron('0 0 * * *') job(@BorrowSignal() _: AbortSignal): void {}
    }
    const error = await start(Orders, 'controllers');
    expect(error?.message).toContain('Orders.job() has @BorrowSignal() on a parameter');
    expect(error?.message).toContain('(await this.db.lease()).signal');
  });
});

describe('what is borrowed with parameters of a handler', () => {
  it.each([
    [asController(ByRoute), 'controllers'],
    [asController(ByMessage), 'controllers'],
    [ByGateway, 'providers'],
    [ByResolver, 'providers'],
    [ByStranger, 'providers'],
    [OfStranger, 'providers'],
    [Overrides, 'providers'],
  ] as [Type, 'providers'][])('is right (%p)', async (tested, kind) => {
    expect(await start(tested, kind)).toBeUndefined();
  });

  it('is known by its name, and its key, on gateways and resolvers too', async () => {
    @WebSocketGateway()
    class Unknown {
      @SubscribeMessage('order') order(@Borrow('nowhere') _: object): void {}
    }
    @Resolver('Order')
    class NoKey {
      @Query(() => String) one(@Borrow('tenants') _: object): string {
        return '';
      }
    }
    const unknown = await start(Unknown);
    expect(unknown).toBeInstanceOf(UnknownPoolError);
    expect(unknown?.message).toContain('Unknown.order()');
    const noKey = await start(NoKey);
    expect(noKey?.message).toContain(
      'NoKey.one() borrows from "tenants", a pool by key, and nobody says which key',
    );
  });
});
