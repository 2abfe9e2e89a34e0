import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { BullModule, OnWorkerEvent, Processor, WorkerHost, getQueueToken } from '@nestjs/bullmq';
import { Scope } from '@nestjs/common';
import { QueueEvents, type Job, type Queue } from 'bullmq';
import { UseBorrowScope } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench, Labour } from '../../support/jobs.js';
import { LocalRedis, describeWithRedis } from '../../support/redis.js';

@Processor('mails', { concurrency: 2 })
class Mails extends WorkerHost {
  constructor(private readonly labour: Labour) {
    super();
  }

  @UseBorrowScope()
  override process({ name }: Job): Promise<number> {
    return this.labour.do(name);
  }

  @OnWorkerEvent('completed')
  @UseBorrowScope()
  async completed({ name }: Job): Promise<void> {
    await this.labour.do(`${name} is complete`);
  }
}

/** Made anew for each job. */
@Processor({ name: 'letters', scope: Scope.REQUEST })
class Letters extends WorkerHost {
  constructor(private readonly labour: Labour) {
    super();
  }

  @UseBorrowScope()
  override process({ name }: Job): Promise<number> {
    return this.labour.do(name);
  }
}

describeWithRedis()('a processor of BullMQ', () => {
  let redis: LocalRedis;
  let bench: JobBench;
  let events: QueueEvents[];
  beforeAll(async () => {
    redis = await LocalRedis.start();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    await redis.call('FLUSHALL');
    bench = await JobBench.start({
      imports: [
        BullModule.forRoot({ connection: redis.address }),
        BullModule.registerQueue({ name: 'mails' }, { name: 'letters' }),
      ],
      providers: [Mails, Letters],
    });
    events = ['mails', 'letters'].map(name => new QueueEvents(name, { connection: redis.address }));
    await Promise.all(events.map(one => one.waitUntilReady()));
  });
  afterEach(async () => {
    bench.stage.openAll();
    await Promise.all(events.map(one => one.close()));
    await bench[Symbol.asyncDispose]();
  });

  const add = (queue: string, name: string): Promise<Job> =>
    bench.app.get<Queue>(getQueueToken(queue)).add(name, {});

  it.each(['mails', 'letters'])('has a scope until its job has settled (%s)', async queue => {
    const job = await add(queue, 'one');
    await bench.stage.reached('one');
    expect(bench.leased()).toBe(1);
    bench.stage.open('one');
    expect(await job.waitUntilFinished(queue === 'mails' ? events[0]! : events[1]!)).toBe(1);
    bench.stage.openAll();
    await bench.allBack();
  });

  it('shares nothing with another job at the same time', async () => {
    await add('mails', 'one');
    await add('mails', 'two');
    await Promise.all([bench.stage.reached('one'), bench.stage.reached('two')]);
    expect(bench.leased()).toBe(2);
    expect(bench.labour.had.get('one')).not.toBe(bench.labour.had.get('two'));
  });

  it('gives back when its job fails', async () => {
    const job = await add('mails', 'fails');
    bench.stage.open('fails');
    expect(await failureOf(job.waitUntilFinished(events[0]!))).toMatchObject({ message: 'fails' });
    await bench.allBack();
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });

  it('has a scope of its own in its listeners', async () => {
    await add('mails', 'one');
    bench.stage.open('one');
    await bench.stage.reached('one is complete');
    expect(bench.leased()).toBe(1);
    bench.stage.open('one is complete');
    await bench.allBack();
  });
});
