import { expect } from '@jest/globals';
import { Injectable, Scope, type INestApplication, type Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import * as websockets from '@nestjs/websockets';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
} from '@nestjs/websockets';
import { once } from 'node:events';
import { map, isObservable } from 'rxjs';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { Borrow, BorrowSignal } from '../../../../src/index.js';
import { Facade } from '../../../support/borrowing/services.js';
import type { Thing } from '../../../support/borrowing/thing.js';
import { serve } from '../../../support/nest-app.js';
import { NEST_MAJOR } from '../../../support/nest-major.js';
import { Stage } from '../../../support/stage.js';
import { shared } from '../application.js';
import { Reply, type Ability, type Client, type Driver, type Handler, type Running } from '../driver.js';
import { orderOf, type Order } from '../order.js';
import { Caught, SuitePipe, Surrounded, Work } from '../work.js';

/** NestJS before 11.1 has none, and so nothing to be tested. */
const { Ack = () => () => undefined } = websockets as Partial<Pick<typeof websockets, 'Ack'>>;
const acks = 'Ack' in websockets ? (['acks'] as const) : [];

const event = (order: Order, value: unknown): object => ({ event: 'answer', data: { id: order.id, value } });

/** As events that say which message they answer: that is how both adapters send what a handler returns. */
async function events(order: Order, answer: Promise<unknown>): Promise<unknown> {
  const value = await answer;
  return isObservable(value) ? value.pipe(map(one => event(order, one))) : event(order, value);
}

@WebSocketGateway()
export class Gateway {
  constructor(readonly work: Work) {}

  @SubscribeMessage('bare')
  bare(@MessageBody() order: Order, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return events(order, this.work.handle(order, { thing, signal }));
  }

  @SubscribeMessage('deep')
  deep(@MessageBody() order: Order) {
    return events(order, this.work.handle(order));
  }

  @Surrounded()
  @SubscribeMessage('surrounded')
  surrounded(
    @MessageBody(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return events(order, this.work.handle(order, { thing, signal }));
  }

  @Caught()
  @SubscribeMessage('caught')
  caught(@MessageBody(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return events(order, this.work.handle(order, { thing }));
  }

  @SubscribeMessage('transacted')
  transacted(@MessageBody() order: Order, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return events(order, this.work.handle(order));
  }

  @SubscribeMessage('keyed')
  keyed(@MessageBody() order: Order) {
    return events(order, this.work.keyed(order));
  }

  /** Nobody awaits what it does after it has returned. */
  @Surrounded()
  @SubscribeMessage('acknowledged')
  acknowledged(
    @MessageBody(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
    @Ack() ack: (answer: unknown) => void,
  ): void {
    void this.work.handle(order, { thing, signal }).then(ack, () => undefined);
  }
}

@Injectable()
class Base {
  constructor(readonly work: Work) {}

  @SubscribeMessage('inherited')
  handler(@MessageBody() order: Order, @Borrow('things') thing: Thing) {
    return events(order, this.work.handle(order, { thing }));
  }

  @SubscribeMessage('renamed')
  renamed(@MessageBody() order: Order, @Borrow('things') thing: Thing) {
    return events(order, this.work.handle(order, { thing }));
  }
}
// As a minifier does.
Object.defineProperty(Base.prototype.renamed, 'name', { value: 'e' });

@WebSocketGateway()
class Inherited extends Base {}

interface Named {
  readonly url?: string;
  readonly handshake?: { readonly url: string };
}

/** What it is told of clients, by whom it borrows for that. Clients say in their address what they are called. */
@WebSocketGateway()
export class Doorman implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  constructor(
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}

  async afterInit(): Promise<void> {
    const thing = await this.facade.get();
    await this.stage.pass('afterInit');
    thing.use();
  }

  async handleConnection(client: Named, request?: Named): Promise<void> {
    const name = nameOf(client, request);
    if (name === undefined) return;
    this.stage.note(`comes ${name}`);
    const thing = await this.facade.get().catch((error: unknown) => {
      this.stage.note(`${(error as Error).name} ${name}`);
    });
    if (!thing) return;
    await this.stage.pass(`comes in ${name}`);
    thing.use();
  }

  async handleDisconnect(client: Named): Promise<void> {
    const name = names.get(client);
    if (name === undefined) return;
    const thing = await this.facade.get();
    await this.stage.pass(`goes ${name}`);
    thing.use();
  }
}

const names = new WeakMap<object, string>();

function nameOf(client: Named, request: Named | undefined): string | undefined {
  const url = client.handshake?.url ?? request?.url ?? '';
  const name = /name=(\w+)/.exec(url)?.[1];
  if (name) names.set(client, name);
  return name;
}

/** What comes over a socket, to whom it belongs. */
export class Replies {
  private readonly byId = new Map<string, Reply>();

  of({ id }: Order): Reply {
    const reply = new Reply();
    this.byId.set(id, reply);
    return reply;
  }

  /** An error says what message it is about. */
  came(name: string, data: unknown): void {
    if (name === 'answer') {
      const { id, value } = data as { id: string; value: unknown };
      this.byId.get(id)?.next(value);
    } else if (name === 'exception') {
      const { cause, ...error } = data as { cause: { data: unknown } };
      this.byId.get(orderOf(cause.data)!.id)?.fail(error);
    }
  }
}

async function overSocketIo(url: string, name?: string): Promise<GatewayClient> {
  const socket = io(url, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    query: name ? { name } : {},
  });
  const replies = new Replies();
  socket.on('answer', data => replies.came('answer', data));
  socket.on('exception', data => replies.came('exception', data));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return {
    sendText: (handler, order) => void socket.emit(handler, JSON.stringify(order)),
    send: (handler, order) => {
      const reply = replies.of(order);
      if (handler === 'acknowledged') socket.emit(handler, order, (value: unknown) => reply.next(value));
      else socket.emit(handler, order);
      return reply;
    },
    tell: async () => undefined,
    leave: () => (socket.io.engine.transport as unknown as { ws: WebSocket }).ws.terminate(),
    close: async () => void socket.close(),
  };
}

async function overWs(url: string, name?: string): Promise<GatewayClient> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/?name=${name ?? ''}`);
  const replies = new Replies();
  socket.on('message', (message: Buffer) => {
    const { event: what, data } = JSON.parse(message.toString()) as { event: string; data: unknown };
    replies.came(what, data);
  });
  await once(socket, 'open');
  return {
    sendText: (handler, order) =>
      socket.send(JSON.stringify({ event: handler, data: JSON.stringify(order) })),
    send: (handler: Handler, order: Order) => {
      const reply = replies.of(order);
      socket.send(JSON.stringify({ event: handler, data: order }));
      return reply;
    },
    tell: async () => undefined,
    leave: () => socket.terminate(),
    close: async () => socket.terminate(),
  };
}

export interface GatewayClient extends Client {
  /** As a text, which equals every other with the same in it. Nothing comes back. */
  sendText(handler: Handler, order: Order): void;
}

export interface RunningGateways extends Running {
  /** A client with a name. */
  comes(name: string): Promise<GatewayClient>;
}

const ADAPTERS = { 'socket.io': IoAdapter, ws: WsAdapter } as const;
const CONNECT = { 'socket.io': overSocketIo, ws: overWs } as const;

function driverOf(name: keyof typeof ADAPTERS, can: readonly Ability[]): Driver {
  return {
    name,
    can: [...can, 'streams', 'leaving', 'hooks', ...(NEST_MAJOR >= 12 ? (['scoped'] as const) : [])],
    busy: code => ({
      status: 'error',
      message: 'The service is busy, try again later',
      code,
      retryAfter: expect.any(Number),
    }),
    told: message => ({ message }),
    async start(world) {
      const { imports, providers } = shared(world);
      const gateways: Type[] = [
        Gateway,
        Inherited,
        Doorman,
        ...(NEST_MAJOR >= 12 ? [scopedGateway(), OfClient] : []),
      ];
      const { app, url, log } = await serve(
        'express',
        { imports, providers: [...providers, ...gateways] },
        (made: INestApplication) => made.useWebSocketAdapter(new ADAPTERS[name](made)),
      );
      const running: RunningGateways = {
        app,
        log: log.lines,
        connect: () => CONNECT[name](url),
        comes: who => CONNECT[name](url, who),
        close: () => app.close(),
      };
      return running;
    },
  };
}

@Injectable({ scope: Scope.REQUEST })
class OfClient {}

/** What is made for each client, as something that it needs is. NestJS 11 has no such gateways. */
function scopedGateway(): Type {
  @WebSocketGateway()
  class Scoped {
    constructor(
      readonly work: Work,
      readonly facade: Facade,
      readonly stage: Stage,
      readonly own: OfClient,
    ) {}

    async handleConnection(client: Named, request?: Named): Promise<void> {
      if (nameOf(client, request) !== 'eve') return;
      const thing = await this.facade.get();
      await this.stage.pass('comes in eve, scoped');
      thing.use();
    }

    @Surrounded()
    @SubscribeMessage('scoped')
    scoped(@MessageBody(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
      return events(order, this.work.handle(order, { thing }));
    }
  }
  return Scoped;
}

/** NestJS 11 says errors to a native socket where nobody hears them. */
export const GATEWAYS: readonly Driver[] = [
  driverOf('socket.io', [...acks, 'tells']),
  driverOf('ws', NEST_MAJOR >= 12 ? ['tells'] : []),
];
