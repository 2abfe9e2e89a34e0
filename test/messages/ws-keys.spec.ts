import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { Borrow, Borrowed, InjectBorrowed, PoolModule } from '../../src/index.js';
import { serve, type RunningApp } from '../support/nest-app.js';

/** The server's side of a native socket, with what it has begun with: it keeps none itself. */
interface Client {
  request?: IncomingMessage;
}

interface Database {
  readonly tenant: string;
}

@WebSocketGateway()
@Injectable()
class Orders {
  readonly greeted: string[] = [];

  constructor(@InjectBorrowed('tenants') private readonly databases: Borrowed<Database>) {}

  async handleConnection(client: Client, request: IncomingMessage): Promise<void> {
    client.request = request;
    this.greeted.push((await this.databases.get()).tenant);
  }

  @SubscribeMessage('find')
  find(@Borrow('tenants') { tenant }: Database): object {
    return { event: 'found', data: tenant };
  }
}

let served: RunningApp | undefined;
afterEach(() => served?.app.close());

it('a gateway on ws that keeps the request of the handshake with its client has keys found in it', async () => {
  served = await serve(
    'express',
    {
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              name: 'tenants',
              maxTotal: 2,
              create: ({ key }: { key: unknown }): Database => ({ tenant: String(key) }),
              key: (request: IncomingMessage) => String(request.headers['x-tenant']),
            },
          ],
        }),
      ],
      providers: [Orders],
    },
    app => app.useWebSocketAdapter(new WsAdapter(app)),
  );
  const clients = ['acme', 'globex'].map(
    tenant => new WebSocket(served!.url.replace('http', 'ws'), { headers: { 'x-tenant': tenant } }),
  );
  for (const client of clients) client.on('open', () => client.send(JSON.stringify({ event: 'find' })));
  const answers = await Promise.all(clients.map(client => once(client, 'message')));
  expect(answers.map(([text]) => JSON.parse(String(text)) as unknown)).toEqual([
    { event: 'found', data: 'acme' },
    { event: 'found', data: 'globex' },
  ]);
  expect(served.app.get(Orders).greeted.sort()).toEqual(['acme', 'globex']);
  for (const client of clients) client.terminate();
});
