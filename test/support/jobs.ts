import { expect } from '@jest/globals';
import { Injectable, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PoolModule, getPoolToken, type Pool, type PoolDefinition } from '../../src/index.js';
import { thingsWith } from './borrowing/rig.js';
import { Facade, Repository, Service } from './borrowing/services.js';
import { Thing } from './borrowing/thing.js';
import { LogBook, forgetLoggers } from './nest-app.js';
import { Stage } from './stage.js';
import { until } from './until.js';

/** What jobs of tests do: they borrow three services below, wait to be let go on, and use what they have borrowed again. */
@Injectable()
export class Labour {
  /** What each has borrowed. */
  readonly had = new Map<string, number>();

  constructor(
    readonly facade: Facade,
    readonly stage: Stage,
  ) {}

  /** Fails after its work if its name says so. */
  async do(name: string): Promise<number> {
    const thing = await this.facade.get();
    this.had.set(name, thing.use());
    await this.stage.pass(name);
    const id = thing.use();
    if (name.includes('fails')) throw new Error(name);
    return id;
  }
}

/** What every bench has: a pool of two things, those who borrow from it, and a stage. */
export function jobModule(
  stage: Stage,
  metadata: ModuleMetadata = {},
  pool: Partial<PoolDefinition<Thing>> = {},
): ModuleMetadata {
  const { imports = [], providers = [], ...others } = metadata;
  return {
    ...others,
    imports: [PoolModule.forRoot({ pools: [thingsWith({ max: 2, ...pool })] }), ...imports],
    providers: [{ provide: Stage, useValue: stage }, Repository, Service, Facade, Labour, ...providers],
  };
}

/** A real application of jobs, without a server, and looked over when it is done. */
export class JobBench implements AsyncDisposable {
  readonly log = new LogBook();

  private constructor(readonly stage: Stage) {
    Thing.startCounting();
  }

  app!: INestApplicationContext;

  static async start(
    metadata: ModuleMetadata,
    pool: Partial<PoolDefinition<Thing>> = {},
    make: (root: object, bench: JobBench) => Promise<INestApplicationContext> = context,
  ): Promise<JobBench> {
    const bench = new JobBench(new Stage());
    class JobsModule {}
    bench.app = await make({ module: JobsModule, ...jobModule(bench.stage, metadata, pool) }, bench);
    return bench;
  }

  get pool(): Pool<Thing> {
    return this.app.get<Pool<Thing>>(getPoolToken('things'));
  }

  get labour(): Labour {
    return this.app.get(Labour);
  }

  leased(): number {
    return this.pool.stats().leased;
  }

  async allBack(): Promise<void> {
    await until(
      () => this.leased(),
      n => n === 0,
    );
  }

  /** Nothing is lent any more, nothing was lent to two, and nobody has used what he had given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stage.openAll();
    try {
      await this.allBack();
      await this.app.close();
      expect(this.pool.stats()).toMatchObject({ leased: 0, waiting: 0, abandoned: 0 });
      const { lentTwice, usedTooLate } = Thing;
      expect({ lentTwice, usedTooLate }).toEqual({ lentTwice: 0, usedTooLate: 0 });
    } finally {
      await this.app.close();
      forgetLoggers();
    }
  }
}

const context = (root: object, { log }: JobBench): Promise<INestApplicationContext> =>
  NestFactory.createApplicationContext(root as never, { logger: log, abortOnError: false });
