// What the compiler must accept and refuse of the tasks of workers. Checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import { Borrow, Pool, PoolModule } from '../../src/index.js';
import {
  serveTasks,
  transfer,
  workerPool,
  type CallOptions,
  type PooledWorker,
  type TaskContext,
} from '../../src/resources/worker.js';

interface Image {
  width: number;
  pixels: Uint8Array<ArrayBuffer>;
}

// As a worker's script writes them.
export const tasks = serveTasks({
  resize: (image: Image, { signal, transfer }) => {
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    return transfer(image, [image.pixels.buffer]);
  },
  async label(image: Image): Promise<string[]> {
    return Promise.resolve([String(image.width)]);
  },
  warmUp() {
    return 5;
  },
  count: (from?: number) => from ?? 0,
  stop: (_: undefined, { signal }: TaskContext) => signal.aborted,
});
type Tasks = typeof tasks;

declare module '../../src/index.js' {
  interface Pools {
    crunch: PooledWorker<Tasks>;
  }
}

const script = new URL('file:///crunch.worker.js');
const pool = new Pool(workerPool<Tasks>({ script, max: 2 }));
expectTypeOf(pool).toEqualTypeOf<Pool<PooledWorker<Tasks>>>();

declare const worker: PooledWorker<Tasks>;
declare const image: Image;
expectTypeOf(worker.call('resize', image)).toEqualTypeOf<Promise<Image>>();
expectTypeOf(worker.call('label', image, { transfer: [image.pixels.buffer] })).toEqualTypeOf<
  Promise<string[]>
>();
expectTypeOf(worker.call('warmUp')).toEqualTypeOf<Promise<number>>();
expectTypeOf(worker.call('warmUp', undefined, { signal: AbortSignal.timeout(5) })).toEqualTypeOf<
  Promise<number>
>();
expectTypeOf(worker.call('count')).toEqualTypeOf<Promise<number>>();
expectTypeOf(worker.call('count', 5)).toEqualTypeOf<Promise<number>>();
expectTypeOf(worker.call('stop')).toEqualTypeOf<Promise<boolean>>();
expectTypeOf<CallOptions>().not.toBeAny();
// @ts-expect-error -- no such task
void worker.call('rezise', image);
// @ts-expect-error -- another payload
void worker.call('resize', { width: 5 });
// @ts-expect-error -- no payload
void worker.call('resize');
// @ts-expect-error -- a payload where there is none
void worker.call('warmUp', 5);
// @ts-expect-error -- no such option
void worker.call('warmUp', undefined, { abort: AbortSignal.timeout(5) });
// @ts-expect-error -- what cannot be transferred
void worker.call('resize', image, { transfer: [5] });
// @ts-expect-error -- the script is missing
workerPool<Tasks>({ max: 2 });
// @ts-expect-error -- no such option
workerPool<Tasks>({ script, maxThreads: 2 });
// @ts-expect-error -- a task is a function
serveTasks({ resize: 5 });
// @ts-expect-error -- what cannot be transferred
transfer(image, [image]);

// An interface will do, and so will nothing at all.
interface Declared {
  hash(text: string): Promise<string>;
}
declare const declared: PooledWorker<Declared>;
expectTypeOf(declared.call('hash', 'a')).toEqualTypeOf<Promise<string>>();
declare const untyped: PooledWorker;
expectTypeOf(untyped.call('anything', 5)).toEqualTypeOf<Promise<unknown>>();
expectTypeOf(new Pool(workerPool({ script }))).toEqualTypeOf<Pool<PooledWorker>>();

PoolModule.forRoot({
  pools: [
    workerPool<Tasks, 'crunch'>({ name: 'crunch', script, max: 2 }),
    { name: 'crunch', useFactory: () => workerPool<Tasks>({ script, startTimeout: 5_000 }), start: 'warm' },
    { ...workerPool<Tasks>({ script }), name: 'crunch', start: 'required', startTimeout: 60_000 },
  ],
});
// @ts-expect-error -- other tasks than Pools says
PoolModule.forRoot({ pools: [workerPool<Declared, 'crunch'>({ name: 'crunch', script })] });

export class Thumbnails {
  resize(@Borrow('crunch') crunch: PooledWorker<Tasks>): Promise<Image> {
    return crunch.call('resize', image);
  }

  // @ts-expect-error -- the tasks of others
  hash(@Borrow('crunch') crunch: PooledWorker<Declared>): Promise<string> {
    return crunch.call('hash', 'a');
  }
}
