import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_GUARD } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { Transport, type TcpOptions } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:net';
import type { Client } from 'pg';
import { PoolModule, PoolRegistry, getPoolToken, type KeyedPool, type Pool } from '../../src/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { serve, type Platform, type RunningApp } from '../support/nest-app.js';
import type { PostgresWatch } from '../support/postgres.js';
import { BranchesController } from './branches.controller.js';
import { ContextsController } from './contexts/contexts.controller.js';
import { Tenancy, tenantPool } from './contexts/tenancy.js';
import { DeepController, ParameterController } from './controllers.js';
import { Custody } from './custody.js';
import { QuestionsResolver } from './graphql/questions.resolver.js';
import { GuestBook } from './guest.js';
import { Kit } from './kit.js';
import { Clients } from './messages/clients.js';
import { StormGateway } from './messages/storm.gateway.js';
import { StormMicroservice } from './messages/storm.microservice.js';
import { RpcFilterWithQuery, Rumour } from './messages/surroundings.js';
import { useMiddleware } from './middleware.js';
import { Bank } from './money/bank.js';
import { Payments } from './money/payments.js';
import { Teller } from './money/teller.js';
import { TransferInTransaction } from './money/transfer.interceptor.js';
import { TransfersController } from './money/transfers.controller.js';
import { SERVICES } from './services.js';
import { Gzip, RowsAsFile } from './streams/interceptors.js';
import { StreamsController } from './streams/streams.controller.js';
import { Doorkeeper, FilterWithQuery, GuardWithQuery, Impatience, Transaction } from './surroundings.js';
import { Work } from './work.js';
import { Wrongs } from './wrongs.js';

/** Milliseconds. Short, as a storm has many clients that leave, and few connections; not so short that a busy machine is too slow. */
const ABANDONED_TIMEOUT = 200;

export interface StormApp extends RunningApp, Disposable {
  readonly pool: Pool<Client>;
  readonly tenants: KeyedPool<string, unknown>;
  readonly registry: PoolRegistry;
  readonly book: GuestBook;
  readonly custody: Custody;
  readonly bank: Bank;
  readonly clients: Clients;
  /** Of the microservice. */
  readonly rpc: Server;
  readonly wrongs: Wrongs;
}

/** The application that stands in the storm. */
export async function stormApp(platform: Platform, watch: PostgresWatch): Promise<StormApp> {
  const wrongs = new Wrongs();
  const custody = new Custody(wrongs);
  const book = new GuestBook();
  const bank = await Bank.found(watch);
  const { factory, ...settings } = pgPool({
    ...watch.config,
    min: 2,
    max: 8,
    acquireTimeout: 1_000,
    maxWaiting: 100,
    createBackoff: { initial: 5, max: 50 },
    listeners: [custody.listener],
  });
  let middleware: Disposable | undefined;
  let rpc: Server | undefined;

  const running = await serve(
    platform,
    {
      imports: [
        PoolModule.forRoot({
          abandonedTimeout: ABANDONED_TIMEOUT,
          pools: [{ name: 'storm-db', ...settings, factory: custody.watched(factory) }, tenantPool(wrongs)],
        }),
        GraphQLModule.forRoot<ApolloDriverConfig>({
          driver: ApolloDriver,
          autoSchemaFile: true,
          // Nothing that Apollo does by itself, such as listening for signals.
          stopOnTerminationSignals: false,
          // Express gives both in one object, Fastify its request first.
          context: (given: { req?: IncomingMessage }) => ({ req: given.req ?? given }),
        }),
      ],
      controllers: [
        ...[DeepController, ParameterController, StreamsController, BranchesController],
        ...[ContextsController, TransfersController, StormMicroservice],
      ],
      providers: [
        ...SERVICES,
        { provide: Custody, useValue: custody },
        { provide: GuestBook, useValue: book },
        { provide: Wrongs, useValue: wrongs },
        { provide: Bank, useValue: bank },
        ...[Work, Kit, Tenancy, Teller, Payments, QuestionsResolver],
        ...[StormGateway, Clients, RpcFilterWithQuery, Rumour],
        ...[Transaction, GuardWithQuery, FilterWithQuery, Impatience],
        ...[RowsAsFile, Gzip, TransferInTransaction],
        { provide: APP_GUARD, useClass: Doorkeeper },
      ],
    },
    async app => {
      middleware = useMiddleware(app);
      app.useWebSocketAdapter(new IoAdapter(app));
      const tcp: TcpOptions = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } };
      const microservice = app.connectMicroservice(tcp);
      await app.startAllMicroservices();
      rpc = microservice.unwrap<Server>();
    },
  );
  const clients = running.app.get(Clients);
  rpc!.on('connection', socket => clients.come(socket, 'close'));
  return {
    ...running,
    pool: running.app.get<Pool<Client>>(getPoolToken('storm-db')),
    tenants: running.app.get<KeyedPool<string, unknown>>(getPoolToken('storm-tenants')),
    registry: running.app.get(PoolRegistry),
    book,
    custody,
    bank,
    clients,
    rpc: rpc!,
    wrongs,
    [Symbol.dispose]: () => middleware?.[Symbol.dispose](),
  };
}
