import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { UseBorrowScope } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { JobBench, Labour } from '../../support/jobs.js';

@Injectable()
class Jobs {
  private ticks = 0;
  constructor(private readonly labour: Labour) {}

  // The decorators in either order.
  @Cron('* * * * * *', { name: 'nightly' })
  @UseBorrowScope()
  async nightly(): Promise<void> {
    await this.labour.do(`cron ${++this.ticks}`);
  }

  @UseBorrowScope()
  @Interval('often', 5)
  async often(): Promise<void> {
    const tick = ++this.ticks;
    // More of them wait than there are things.
    if (tick <= 3) await this.labour.do(`interval ${tick}`);
  }

  @UseBorrowScope()
  @Timeout('soon', 1)
  async soon(): Promise<void> {
    await this.labour.do('timeout fails');
  }
}

describe('a job of @nestjs/schedule', () => {
  let bench: JobBench;
  const start = async (kinds: {
    cronJobs?: boolean;
    intervals?: boolean;
    timeouts?: boolean;
  }): Promise<void> => {
    const none = { cronJobs: false, intervals: false, timeouts: false };
    bench = await JobBench.start({
      imports: [ScheduleModule.forRoot({ ...none, ...kinds })],
      providers: [Jobs],
    });
  };
  afterEach(() => bench[Symbol.asyncDispose]());

  it('has a scope when its time has come, and gives back when it has settled', async () => {
    await start({ cronJobs: true });
    await bench.stage.reached('cron 1');
    expect(bench.leased()).toBe(1);
    bench.app.get(SchedulerRegistry).deleteCronJob('nightly');
    bench.stage.open('cron 1');
    await bench.allBack();
  });

  it('shares nothing with another that runs at the same time, and one more waits', async () => {
    await start({ intervals: true });
    const { stage } = bench;
    await Promise.all([stage.reached('interval 1'), stage.reached('interval 2')]);
    expect(bench.leased()).toBe(2);
    const { had } = bench.labour;
    expect(had.get('interval 1')).not.toBe(had.get('interval 2'));
    expect(had.has('interval 3')).toBe(false);
    stage.open('interval 1');
    await stage.reached('interval 3');
    expect(had.get('interval 3')).toBe(had.get('interval 1'));
    bench.app.get(SchedulerRegistry).deleteInterval('often');
    stage.open('interval 2', 'interval 3');
    await bench.allBack();
  });

  it('gives back when it fails', async () => {
    await start({ timeouts: true });
    await bench.stage.reached('timeout fails');
    expect(bench.leased()).toBe(1);
    bench.stage.open('timeout fails');
    await bench.allBack();
    expect(Thing.reported).toMatchObject([{ message: 'timeout fails' }]);
    expect(bench.log.lines.join()).toContain('timeout fails');
  });
});
