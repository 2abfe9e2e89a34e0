import { EventEmitter } from 'node:events';
import { beforeEach, expect, it } from '@jest/globals';
import { Logger, run, runMigrations, type Runner, type WorkerEvents } from 'graphile-worker';
import { until } from '../../support/until.js';
import { overBothPools } from './world.js';

const silent = new Logger(() => () => {});

overBothPools('graphile-worker', world => {
  let runner: Runner;
  let events: WorkerEvents;
  let done: string[];

  beforeEach(async () => {
    done = [];
    events = new EventEmitter();
    const { pool } = world.subject;
    // It warns when nobody listens, and does it itself.
    pool.on('error', () => {});
    pool.on('connect', client => client.on('error', () => {}));
    await world.watch.sql('drop schema if exists graphile_worker cascade');
    await runMigrations({ pgPool: pool, logger: silent });
    const listening = untilListening();
    runner = await run({
      pgPool: pool,
      logger: silent,
      events,
      concurrency: 2,
      noHandleSignals: true,
      // Nobody waits for so long: jobs are heard of by LISTEN.
      pollInterval: 600_000,
      taskList: {
        greet: async payload => void done.push((payload as { name: string }).name),
        fail: async () => {
          throw new Error('no');
        },
      },
    });
    world.later(() => runner.stop());
    await listening;
  });

  const untilListening = (): Promise<void> =>
    new Promise(resolve => events.once('pool:listen:success', () => resolve()));
  const untilDone = (count: number): Promise<unknown> =>
    until(
      () => done.length,
      length => length >= count,
      // It waits longer each time before it listens again.
      40_000,
    );

  it('does jobs that it hears of, with one connection of the pool for that', async () => {
    await runner.addJob('greet', { name: 'Ada' });
    await untilDone(1);
    expect(done).toEqual(['Ada']);
    await until(
      () => world.subject.busy(),
      busy => busy === 1,
    );
  });

  it('goes on after a job that has failed', async () => {
    const failed = new Promise(resolve => events.once('job:error', ({ error }) => resolve(error)));
    await runner.addJob('fail', {}, { maxAttempts: 1 });
    expect(await failed).toEqual(new Error('no'));
    await runner.addJob('greet', { name: 'Ada' });
    await untilDone(1);
  });

  it('listens again when the connection has died by which it listened, and idle ones', async () => {
    const listening = untilListening();
    for (const pid of await world.connections()) await world.watch.terminate(pid);
    await listening;
    await runner.addJob('greet', { name: 'Ada' });
    await untilDone(1);
  });

  it('has at most the connections that there may be, however many ask', async () => {
    const jobs = Array.from({ length: 20 }, (_, i) => runner.addJob('greet', { name: String(i) }));
    await world.neverAboveMax(Promise.all(jobs).then(() => untilDone(20)));
    expect(done).toHaveLength(20);
  });
});
