import type { MiddlewareConsumer, NestModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Client } from 'pg';
import { PoolModule, PoolRegistry, getPoolToken, type Pool } from '../../src/index.js';
import { pgPool } from '../../src/resources/pg.js';
import { serve, type Platform, type RunningApp } from '../support/nest-app.js';
import type { PostgresWatch } from '../support/postgres.js';
import { DeepController, Kit, ParameterController } from './controllers.js';
import { Custody } from './custody.js';
import { GuestBook } from './guest.js';
import { Facade, SERVICES } from './services.js';
import { Doorkeeper, FilterWithQuery, GuardWithQuery, Impatience, Transaction } from './surroundings.js';
import { Work } from './work.js';
import { Wrongs } from './wrongs.js';

export interface StormApp extends RunningApp {
  readonly pool: Pool<Client>;
  readonly registry: PoolRegistry;
  readonly book: GuestBook;
  readonly custody: Custody;
  readonly wrongs: Wrongs;
}

/** The application that stands in the storm. */
export async function stormApp(platform: Platform, watch: PostgresWatch): Promise<StormApp> {
  const wrongs = new Wrongs();
  const custody = new Custody(wrongs);
  const book = new GuestBook();
  const { factory, ...settings } = pgPool({
    ...watch.config,
    min: 2,
    max: 8,
    acquireTimeout: 1_000,
    maxWaiting: 100,
    createBackoff: { initial: 5, max: 50 },
    listeners: [custody.listener],
  });

  class Middleware implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer
        .apply((request: IncomingMessage, _response: ServerResponse, next: (error?: unknown) => void) => {
          const guest = book.of(request);
          running.app
            .get(Facade)
            .get()
            .then(db => custody.begin(db, guest))
            .then(use => {
              use[Symbol.dispose]();
              next();
            })
            .catch(next);
        })
        .forRoutes('deep/middleware', 'parameter/middleware');
    }
  }

  const running = await serve(platform, {
    imports: [
      PoolModule.forRoot({ pools: [{ name: 'storm-db', ...settings, factory: custody.watched(factory) }] }),
      { module: Middleware },
    ],
    controllers: [DeepController, ParameterController],
    providers: [
      ...SERVICES,
      { provide: Custody, useValue: custody },
      { provide: GuestBook, useValue: book },
      Work,
      Kit,
      Transaction,
      GuardWithQuery,
      FilterWithQuery,
      Impatience,
      { provide: APP_GUARD, useClass: Doorkeeper },
    ],
  });
  const registry = running.app.get(PoolRegistry);
  return {
    ...running,
    pool: running.app.get<Pool<Client>>(getPoolToken('storm-db')),
    registry,
    book,
    custody,
    wrongs,
  };
}
