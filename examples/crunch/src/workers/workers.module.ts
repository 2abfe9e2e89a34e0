import { Module, type DynamicModule } from '@nestjs/common';
import { PoolModule } from 'nestjs-pool';
import { workerPool, type PooledWorker } from 'nestjs-pool/worker';
import type { Tasks } from './crunch.worker.js';

/** A worker, with the tasks that its script serves. */
export type Cruncher = PooledWorker<Tasks>;

declare module 'nestjs-pool' {
  interface Pools {
    crunch: Cruncher;
  }
}

@Module({})
export class WorkersModule {
  static with(max: number): DynamicModule {
    return {
      module: WorkersModule,
      imports: [
        PoolModule.forRoot({
          pools: [
            {
              ...workerPool<Tasks, 'crunch'>({
                name: 'crunch',
                script: new URL('./crunch.worker.js', import.meta.url),
                min: 1,
                max,
                // Who cannot be served within two seconds, or finds eight others waiting, is told to come again: 503.
                acquireTimeout: 2_000,
                maxWaiting: 8,
              }),
              start: 'warm',
            },
          ],
        }),
      ],
    };
  }
}
