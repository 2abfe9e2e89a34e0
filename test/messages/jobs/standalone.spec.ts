import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Command, CommandFactory, CommandRunner, CommandRunnerService } from 'nest-commander';
import { BorrowScopes, Borrowed, UseBorrowScope, getBorrowedToken } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench, Labour } from '../../support/jobs.js';

describe('a script with an application context', () => {
  it('has a scope for a block of its own, and for each piece of work', async () => {
    await using bench = await JobBench.start({});
    bench.stage.openAll();
    const scopes = bench.app.get(BorrowScopes);
    {
      await using scope = scopes.open();
      const thing = await scope.get(bench.app.get<Borrowed<Thing>>(getBorrowedToken('things')));
      expect(await scope.run(() => bench.labour.do('in the block'))).toBe(thing.use());
      expect(await scopes.run(() => bench.labour.do('beside it'))).not.toBe(thing.id);
    }
    expect(bench.leased()).toBe(0);
    await failureOf(scopes.run(() => bench.labour.do('fails')));
    expect(bench.leased()).toBe(0);
  });
});

@Command({ name: 'ship', options: { isDefault: true } })
class ShipCommand extends CommandRunner {
  constructor(private readonly labour: Labour) {
    super();
  }

  @UseBorrowScope()
  override async run([name = 'nothing']: string[]): Promise<void> {
    await this.labour.do(name);
  }
}

describe('a command of nest-commander', () => {
  const start = (): Promise<JobBench> =>
    JobBench.start({ providers: [ShipCommand] }, {}, (root, { log }) => {
      @Module({ imports: [root as never] })
      class CommandsModule {}
      return CommandFactory.createWithoutRunning(CommandsModule, {
        logger: log,
        serviceErrorHandler: error => log.error(error),
      });
    });

  const run = async (bench: JobBench, name: string): Promise<void> => {
    const { argv } = process;
    process.argv = ['node', 'shop', 'ship', name];
    try {
      await bench.app.init();
      await bench.app.get(CommandRunnerService).run();
    } finally {
      process.argv = argv;
    }
  };

  it('has a scope until it has run', async () => {
    await using bench = await start();
    const running = run(bench, 'order');
    await bench.stage.reached('order');
    expect(bench.leased()).toBe(1);
    bench.stage.open('order');
    await running;
    expect(bench.leased()).toBe(0);
  });

  it('gives back when it fails', async () => {
    await using bench = await start();
    bench.stage.open('fails');
    await run(bench, 'fails').catch(() => undefined);
    expect(bench.leased()).toBe(0);
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });
});
