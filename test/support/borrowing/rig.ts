import { afterEach, beforeEach, expect } from '@jest/globals';
import type {
  INestApplication,
  ModuleMetadata,
  NestApplicationOptions,
  Provider,
  Type,
} from '@nestjs/common';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { PoolModule, getPoolToken, type Pool, type PoolDefinition } from '../../../src/index.js';
import { Call } from '../http-client.js';
import { forgetLoggers, serve, type Platform, type RunningApp } from '../nest-app.js';
import { Stage } from '../stage.js';
import { until } from '../until.js';
import { Facade, Repository, Service, type Way } from './services.js';
import { Thing } from './thing.js';

export interface RigOptions {
  readonly controllers: readonly Type[];
  readonly providers?: readonly Provider[];
  /** The pool is of one thing, unless these say otherwise. */
  readonly pool?: Partial<PoolDefinition<Thing>>;
  /** Of the module. */
  readonly abandonedTimeout?: number;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly prepare?: (app: INestApplication, rig: BorrowingRig) => unknown;
  readonly application?: NestApplicationOptions;
}

/** How many things were lent when something happened to a response, and right after it. */
export interface Lent {
  readonly before: number;
  readonly after: number;
}

/** The server's side of one request. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Its `end` as the application found it. */
  readonly end: ServerResponse['end'];
  /** The reply was handed to the platform: `res.end` was called. */
  readonly handedOver: Promise<Lent>;
  /** The response has finished: all of it is with the operating system. */
  readonly finished: Promise<Lent>;
}

/** A real application with a pool of one thing, made anew for each test and looked over when it is done. */
export function borrowingRig(
  platform: Platform | (() => FastifyAdapter),
  options: RigOptions | (() => RigOptions),
): BorrowingRig {
  const rig = new BorrowingRig(platform, options);
  beforeEach(() => rig.start());
  afterEach(() => rig.stop());
  return rig;
}

export class BorrowingRig {
  stage = new Stage();
  pool!: Pool<Thing>;
  private running!: RunningApp;
  private readonly clients: { lose(): void }[] = [];

  constructor(
    private readonly platform: Platform | (() => FastifyAdapter),
    private readonly options: RigOptions | (() => RigOptions),
  ) {}

  async start(): Promise<void> {
    Thing.startCounting();
    this.stage = new Stage();
    const { options } = this;
    const {
      controllers,
      providers = [],
      imports = [],
      pool,
      abandonedTimeout,
      prepare,
      application,
    } = typeof options === 'function' ? options() : options;
    this.running = await serve(
      typeof this.platform === 'function' ? this.platform() : this.platform,
      {
        imports: [
          ...imports,
          PoolModule.forRoot({
            pools: [thingsWith(pool)],
            ...(abandonedTimeout !== undefined && { abandonedTimeout }),
          }),
        ],
        controllers: [...controllers],
        providers: [{ provide: Stage, useValue: this.stage }, Repository, Service, Facade, ...providers],
      },
      app => prepare?.(app, this),
      application,
    );
    this.pool = this.running.app.get<Pool<Thing>>(getPoolToken('things'));
  }

  async stop(): Promise<void> {
    this.stage.openAll();
    for (const client of this.clients.splice(0)) client.lose();
    try {
      await this.allBack();
      const { lentTwice, usedTooLate } = Thing;
      expect({ lentTwice, usedTooLate }).toEqual({ lentTwice: 0, usedTooLate: 0 });
      expect(this.pool.stats()).toMatchObject({ leased: 0, waiting: 0, abandoned: 0 });
    } finally {
      // Jest does not end while one is open.
      await this.running.app.close();
      forgetLoggers();
    }
  }

  get app(): INestApplication {
    return this.running.app;
  }

  get server(): Server {
    return this.app.getHttpServer() as Server;
  }

  get port(): number {
    return Number(new URL(this.running.url).port);
  }

  get logged(): readonly string[] {
    return this.running.log.lines;
  }

  get loggedErrors(): readonly string[] {
    return this.logged.filter(line => line.startsWith('error'));
  }

  url(...path: string[]): string {
    return [this.running.url, ...path].join('/');
  }

  call(way: Way | 'plain', path: string, options?: ConstructorParameters<typeof Call>[1]): Call {
    return new Call(this.url(way, path), options);
  }

  /** A client that keeps its connection loses it when the test is over. */
  with<C extends { lose(): void }>(client: C): C {
    this.clients.push(client);
    return client;
  }

  leased(): number {
    return this.pool.stats().leased;
  }

  waiting(): number {
    return this.pool.stats().waiting;
  }

  async allBack(): Promise<void> {
    await until(
      () => this.leased(),
      n => n === 0,
    );
  }

  async waitingAre(count: number): Promise<void> {
    await until(
      () => this.waiting(),
      n => n === count,
    );
  }

  /** The next request that comes in. Its response is watched from before anything of the application sees it. */
  nextExchange(): Promise<Exchange> {
    return new Promise(resolve => {
      this.server.prependOnceListener('request', (request: IncomingMessage, response: ServerResponse) => {
        const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
        const handedOver = new Promise<Lent>(tell => {
          response.end = ((...args: unknown[]) => {
            tell(this.lentAround());
            return end(...args);
          }) as ServerResponse['end'];
        });
        const finished = new Promise<Lent>(tell => response.once('finish', () => tell(this.lentAround())));
        resolve({ request, response, end: response.end, handedOver, finished });
      });
    });
  }

  /** The next request that comes in, and nothing that holds it. */
  async nextRequest(send: () => void): Promise<WeakRef<IncomingMessage>> {
    const arrived = new Promise<WeakRef<IncomingMessage>>(resolve => {
      this.server.prependOnceListener('request', (request: IncomingMessage) => {
        resolve(new WeakRef(request));
      });
    });
    send();
    return arrived;
  }

  /** The next reply that is handed to the platform. */
  async handedOver(): Promise<Lent> {
    return (await this.nextExchange()).handedOver;
  }

  /** The server has noticed that the clients of all requests it is working on are gone. */
  async clientsGone(): Promise<void> {
    await until(
      () =>
        new Promise<number>((resolve, reject) => {
          this.server.getConnections((error, count) => {
            if (error) reject(error);
            else resolve(count);
          });
        }),
      count => count === 0,
    );
    await nextTurn();
  }

  /** Now, and when the code that is running has come to its end. */
  private async lentAround(): Promise<Lent> {
    const before = this.leased();
    await Promise.resolve();
    return { before, after: this.leased() };
  }
}

/** A pool that knows of each thing whether it is lent. */
export function thingsWith(pool: RigOptions['pool']): PoolDefinition<Thing> {
  const made: Thing[] = [];
  return {
    name: 'things',
    max: 1,
    create: () => {
      const thing = new Thing(made.length + 1);
      made.push(thing);
      return thing;
    },
    isFatal: (error: unknown) => {
      Thing.reported.push(error);
      return false;
    },
    ...pool,
    // A pool numbers its resources as they are created.
    listeners: [
      {
        onAcquire: ({ slot }) => made[slot - 1]?.lend(),
        onRelease: ({ slot }) => made[slot - 1]?.takeBack(),
      },
      ...(pool?.listeners ?? []),
    ],
  } as PoolDefinition<Thing>;
}

/** Everything that was due in this turn of the event loop has happened. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
