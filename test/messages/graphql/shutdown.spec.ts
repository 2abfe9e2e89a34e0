import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  Controller,
  Get,
  Injectable,
  Sse,
  type BeforeApplicationShutdown,
  type DynamicModule,
} from '@nestjs/common';
import { GraphQLModule, type GqlModuleOptions } from '@nestjs/graphql';
import type { Extra } from 'graphql-ws/use/ws';
import { NEVER, startWith, type Observable } from 'rxjs';
import { Borrow, PoolModule, PoolRegistry } from '../../../src/index.js';
import { PoolHealthModule } from '../../../src/terminus/index.js';
import { Facade, Repository, Service } from '../../support/borrowing/services.js';
import { Thing } from '../../support/borrowing/thing.js';
import { GraphqlClient } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { Topics, subscriptionProviders } from '../../support/graphql/subscriptions-world.js';
import { Call, get } from '../../support/http-client.js';
import { forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';

@Controller()
class Routes {
  constructor(private readonly stage: Stage) {}

  @Sse('events')
  events(@Borrow('things') _thing: Thing): Observable<{ data: string }> {
    return NEVER.pipe(startWith({ data: 'hello' }));
  }

  @Get('slow')
  async slow(@Borrow('things') thing: Thing): Promise<number> {
    await this.stage.pass('slow');
    return thing.use();
  }
}

/** Takes its time where Terminus has its grace time. */
@Injectable()
class GraceTime implements BeforeApplicationShutdown {
  constructor(private readonly stage: Stage) {}
  async beforeApplicationShutdown(): Promise<void> {
    await this.stage.pass('grace');
  }
}

describe.each(GRAPHQL_SERVERS)('an application with $name that shuts down', server => {
  let running: RunningApp;
  let stage: Stage;
  let destroyed: string[];
  let closing: Promise<void> | undefined;

  const start = (options: Partial<GqlModuleOptions> = {}): Promise<void> => startThe(server.module(options));
  const startThe = async (graphql: DynamicModule): Promise<void> => {
    let made = 0;
    running = await serve(server.platform, {
      imports: [
        PoolModule.forRoot({
          shutdownTimeout: 600_000,
          pools: [
            {
              name: 'things',
              create: () => new Thing(++made),
              destroy: (_, reason) => destroyed.push(reason),
            },
          ],
        }),
        PoolHealthModule.forRoot(),
        graphql,
      ],
      controllers: [Routes],
      providers: [
        ...subscriptionProviders,
        Facade,
        Service,
        Repository,
        GraceTime,
        { provide: Stage, useValue: stage },
      ],
    });
  };
  const close = (): Promise<void> => (closing = running.app.close());
  const listening = async (count: number): Promise<void> => {
    const topics = running.app.get(Topics);
    await until(
      () => topics.listening('commented'),
      n => n === count,
    );
  };
  const ready = async (): Promise<number> => (await get(`${running.url}/health/ready`)).status;

  beforeEach(() => {
    stage = new Stage();
    destroyed = [];
    closing = undefined;
  });

  afterEach(async () => {
    stage.openAll();
    await (closing ?? running.app.close());
    forgetLoggers();
  });

  it('completes its event streams', async () => {
    stage.open('grace');
    await start();
    const events = new Call(`${running.url}/events`);
    await events.firstBytes();
    await Promise.all([close(), events.rest()]);
    expect(destroyed).toEqual(['closed']);
  });

  it('answers what is in flight, with the event streams completed before', async () => {
    stage.open('grace');
    await start();
    const slow = new Call(`${running.url}/slow`);
    await stage.reached('slow');
    const events = new Call(`${running.url}/events`);
    await events.firstBytes();
    void close();
    await events.rest();
    stage.open('slow');
    expect(await slow.answer()).toMatchObject({ status: 200, body: '1' });
    await closing;
    expect(destroyed).toEqual(['closed', 'closed']);
  });

  it('ends subscriptions of GraphQL', async () => {
    stage.open('grace');
    await start();
    const client = new GraphqlClient(`${running.url}/graphql`);
    const received = client.subscribe('subscription { commented { id } }');
    await listening(1);
    await Promise.all([close(), received.ended()]);
    await listening(0);
  });

  if (server.isApollo) {
    it('is not ready in its grace time and serves, where Apollo stops with the application', async () => {
      await start({ stopOnApplicationShutdown: true });
      const events = new Call(`${running.url}/events`);
      await events.firstBytes();
      void close();
      await stage.reached('grace');
      expect(await ready()).toBe(503);
      const asked = new Call(`${running.url}/graphql`, { method: 'POST', body: { query: '{ deep }' } });
      expect(JSON.parse((await asked.answer()).body)).toEqual({ data: { deep: 2 } });
      expect(running.app.get(PoolRegistry).stopping.aborted).toBe(false);
      stage.open('grace');
      await events.rest();
      await closing;
    });

    it('ends subscriptions of GraphQL also there, where their sockets are told', async () => {
      await startThe(
        GraphQLModule.forRootAsync<ApolloDriverConfig>({
          driver: ApolloDriver,
          inject: [PoolRegistry],
          useFactory: ({ stopping }: PoolRegistry) => ({
            autoSchemaFile: true,
            stopOnApplicationShutdown: true,
            subscriptions: {
              'graphql-ws': {
                onConnect: ({ extra }) => {
                  const { socket } = extra as Extra;
                  const end = (): void => socket.close(1001);
                  stopping.addEventListener('abort', end);
                  socket.once('close', () => stopping.removeEventListener('abort', end));
                },
              },
            },
          }),
        }),
      );
      const client = new GraphqlClient(`${running.url}/graphql`);
      const received = client.subscribe('subscription { commented { id } }');
      await listening(1);
      void close();
      await stage.reached('grace');
      await running.app.get(Topics).publish('commented', { commented: { id: 5 } });
      expect(await received.result(1)).toEqual({ data: { commented: { id: 5 } } });
      stage.open('grace');
      await Promise.all([closing, received.ended()]);
      await listening(0);
    });
  }
});
