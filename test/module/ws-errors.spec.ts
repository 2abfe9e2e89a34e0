import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
  type INestApplication,
} from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { PoolExceptionFilter } from '../../src/index.js';
import { BACKSTAGE, InVain, failingPools } from '../support/failing-pools.js';
import { forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

@WebSocketGateway()
class Unfiltered {
  constructor(private readonly inVain: InVain) {}

  @SubscribeMessage('borrow')
  borrow(@MessageBody() pool: 'full' | 'down'): Promise<string> {
    return this.inVain.borrow(pool);
  }
}

@UseFilters(PoolExceptionFilter)
@WebSocketGateway()
class Filtered extends Unfiltered {
  @SubscribeMessage('borrow')
  override borrow(@MessageBody() pool: 'full' | 'down'): Promise<string> {
    return super.borrow(pool);
  }

  @SubscribeMessage('well')
  well(): { event: string; data: string } {
    return { event: 'well', data: 'well' };
  }
}

@Catch()
class Everything implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): void {
    host.switchToWs().getClient<Socket>().emit('own', error.name);
  }
}

@WebSocketGateway()
class Greeting extends Unfiltered {
  async handleConnection(): Promise<void> {
    await this.borrow('full');
  }

  @SubscribeMessage('borrow')
  override borrow(@MessageBody() pool: 'full' | 'down'): Promise<string> {
    return super.borrow(pool);
  }
}

@UseFilters(Everything)
@WebSocketGateway()
class OwnFilter extends Unfiltered {
  @SubscribeMessage('borrow')
  override borrow(@MessageBody() pool: 'full' | 'down'): Promise<string> {
    return super.borrow(pool);
  }
}

/** Sends a message with real clients, and gives what comes back as the event of that name. */
interface Client {
  ask(message: string, data: string, answer: string): Promise<unknown>;
  /** What it is told as an exception, and why its connection is ended, if that comes first. */
  readonly refused: Promise<[unknown, unknown]>;
  close(): void;
}

async function overSocketIo(url: string): Promise<Client> {
  const socket = io(url, { transports: ['websocket'], reconnection: false });
  const refused = Promise.all([
    new Promise(resolve => socket.once('exception', resolve)),
    new Promise(resolve => socket.once('disconnect', resolve)),
  ]);
  await new Promise<void>(resolve => socket.once('connect', resolve));
  return {
    ask: (message, data, answer) => {
      const came = new Promise<unknown>(resolve => socket.once(answer, resolve));
      socket.emit(message, data);
      return came;
    },
    refused,
    close: () => socket.close(),
  };
}

async function overWs(url: string): Promise<Client> {
  const socket = new WebSocket(url.replace('http', 'ws'));
  const refused = Promise.all([
    once(socket, 'message').then(([said]) => (JSON.parse(String(said)) as { data: unknown }).data),
    once(socket, 'close').then(([code]) => code as unknown),
  ]);
  await once(socket, 'open');
  return {
    ask: async (event, data, answer) => {
      const came = once(socket, 'message') as Promise<[Buffer]>;
      socket.send(JSON.stringify({ event, data }));
      const said = JSON.parse((await came)[0].toString()) as { event: string; data: unknown };
      expect(said.event).toBe(answer);
      return said.data;
    },
    refused,
    close: () => socket.close(),
  };
}

const ADAPTERS = {
  'socket.io': { adapter: IoAdapter, connect: overSocketIo },
  ws: { adapter: WsAdapter, connect: overWs },
} as const;

type Kind = keyof typeof ADAPTERS;

describe('pool errors in a gateway', () => {
  let running: RunningApp;
  let client: Client;

  const start = async (kind: Kind, gateway: typeof Unfiltered): Promise<void> => {
    const { adapter, connect } = ADAPTERS[kind];
    const metadata = { imports: [failingPools()], providers: [InVain, gateway] };
    running = await serve('express', metadata, (app: INestApplication) =>
      app.useWebSocketAdapter(new adapter(app)),
    );
    client = await connect(running.url);
  };

  afterEach(async () => {
    client.close();
    await running.app.close();
    forgetLoggers();
  });

  it.each(['socket.io', 'ws'] as const)('are an exception that says what it is about, on %s', async kind => {
    await start(kind, Filtered);
    const down = await client.ask('borrow', 'down', 'exception');
    expect(down).toEqual({
      status: 'error',
      message: 'The service is busy, try again later',
      code: 14,
      retryAfter: expect.any(Number),
      cause: { pattern: 'borrow', data: 'down' },
    });
    expect(JSON.stringify({ ...(down as object), cause: undefined })).not.toMatch(BACKSTAGE);
    expect(await client.ask('borrow', 'full', 'exception')).toMatchObject({ code: 8, retryAfter: 1 });
    expect(await client.ask('well', '', 'well')).toBe('well');
  });

  it('are so also where the gateway names no filter, as Nest shows it no global ones', async () => {
    await start('socket.io', Unfiltered);
    expect(await client.ask('borrow', 'down', 'exception')).toMatchObject({ code: 14 });
  });

  it.each(['socket.io', 'ws'] as const)(
    'are told to a client that cannot be greeted, which is let go, on %s',
    async kind => {
      await start(kind, Greeting);
      const [reply, left] = await client.refused;
      expect(reply).toMatchObject({ code: 8, cause: { pattern: 'handleConnection' } });
      expect(left).toBe(kind === 'ws' ? 1013 : 'io server disconnect');
      expect(running.log.lines.join()).toContain('warn: Greeting.handleConnection(): Pool "full"');
    },
  );

  it('are left to a filter of the gateway that takes everything', async () => {
    await start('socket.io', OwnFilter);
    expect(await client.ask('borrow', 'full', 'own')).toBe('PoolQueueFullError');
  });
});
