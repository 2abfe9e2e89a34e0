import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestMicroservice,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { once } from 'node:events';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { concatMap, finalize, interval, merge, tap, NEVER, type Observable } from 'rxjs';
import {
  Borrow,
  BorrowSignal,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  getPoolToken,
  type Pool,
} from '../../../src/index.js';
import { forgetLoggers } from '../../support/nest-app.js';
import { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';

const stage = new Stage();
let told: string[] = [];

/** Commits what its handler has done, or rolls it back. */
@Injectable()
class InTransaction implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    told.push('begin');
    return next.handle().pipe(
      concatMap(async (value: unknown) => {
        await stage.pass('commit');
        told.push('commit');
        return value;
      }),
      finalize(() => told.push('end')),
    );
  }
}

/** Lets its client know that it is alive, for as long as nobody has unsubscribed. */
@Injectable()
class Heartbeat implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return merge(next.handle(), interval(5));
  }
}

/** Lets a message wait before anything is borrowed for it. */
@Injectable()
class AtTheDoor implements CanActivate {
  async canActivate(): Promise<boolean> {
    await stage.pass('door');
    return true;
  }
}

@Controller()
class Orders {
  constructor(@InjectBorrowed('db') private readonly db: Borrowed<object>) {}

  @MessagePattern('order')
  @UseInterceptors(InTransaction)
  async order(): Promise<string> {
    await this.db.get();
    await stage.pass('handler');
    told.push('handler');
    return 'ordered';
  }

  @MessagePattern('late')
  @UseGuards(AtTheDoor)
  async late(@Borrow('db') _db: object, @BorrowSignal() { aborted }: AbortSignal): Promise<void> {
    told.push(`aborted: ${aborted}`);
    stage.note('late');
  }

  @MessagePattern('prices')
  @UseInterceptors(Heartbeat)
  async prices(): Promise<Observable<never>> {
    await this.db.get();
    stage.note('prices');
    return NEVER.pipe(tap({ unsubscribe: () => told.push('unsubscribed') }));
  }
}

let app: INestMicroservice;
let pool: Pool<object>;

beforeEach(async () => {
  stage.reset();
  told = [];
  const pools = [{ name: 'db', create: () => ({}), max: 1 }];
  const root = {
    module: class {},
    imports: [PoolModule.forRoot({ pools, abandonedTimeout: 50 })],
    controllers: [Orders],
  };
  app = await NestFactory.createMicroservice(root, {
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port: 0 },
    logger: false,
  });
  await app.listen();
  pool = app.get<Pool<object>>(getPoolToken('db'));
});

afterEach(async () => {
  stage.openAll();
  await app.close();
  forgetLoggers();
});

/** Asks without Nest's client, which cannot vanish. */
async function ask(pattern: string): Promise<Socket> {
  const { port } = app.unwrap<Server>().address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const text = JSON.stringify({ pattern, data: {}, id: '1' });
  socket.write(`${text.length}#${text}`);
  return socket;
}

async function vanish(socket: Socket): Promise<void> {
  const connections = (): Promise<number> =>
    new Promise(resolve => app.unwrap<Server>().getConnections((_, count) => resolve(count)));
  socket.destroy();
  await until(connections, count => count === 0);
  await new Promise(resolve => setImmediate(resolve));
}

const untilBack = () =>
  until(
    () => pool.stats(),
    ({ leased }) => leased === 0,
  );

it('what an interceptor does after a handler is done, also when the client has left while the handler was at work', async () => {
  const socket = await ask('order');
  await stage.reached('handler');
  await vanish(socket);
  expect(told).toEqual(['begin']);
  stage.open('handler', 'commit');
  await untilBack();
  expect(told).toEqual(['begin', 'handler', 'commit', 'end']);
});

it('a handler whose client has left before anything was borrowed is told so by its signal', async () => {
  const socket = await ask('late');
  await stage.reached('door');
  await vanish(socket);
  stage.open('door');
  await stage.reached('late');
  expect(told).toEqual(['aborted: true']);
  await untilBack();
});

it('an interceptor that commits is waited for, also when the client leaves meanwhile: nothing is destroyed', async () => {
  const socket = await ask('order');
  stage.open('handler');
  await stage.reached('commit');
  await vanish(socket);
  expect(pool.stats().leased).toBe(1);
  stage.open('commit');
  await untilBack();
  expect(told).toEqual(['begin', 'handler', 'commit', 'end']);
  expect(pool.stats().totals.destroyed).toBe(0);
});

it('an endless answer that an interceptor has added to is over when the client has left', async () => {
  const socket = await ask('prices');
  await stage.reached('prices');
  await vanish(socket);
  await untilBack();
  expect(pool.stats().totals.destroyed).toBe(0);
});
