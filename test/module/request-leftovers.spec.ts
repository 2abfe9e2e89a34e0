import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  BorrowKeyError,
  BorrowScopeEndedError,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  PoolModule,
} from '../../src/index.js';
import { failureOf } from '../support/follow.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { until } from '../support/until.js';

/** What a request leaves behind runs in its async context for as long as it runs. */
const events = new EventEmitter();
let ticking = false;

interface Found {
  readonly run: unknown;
  readonly got: unknown;
  readonly held: unknown;
}
let found: Found | undefined;

@Controller()
class Starter {
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly scopes: BorrowScopes,
    @InjectBorrowed('tenants') private readonly tenants: Borrowed<object>,
  ) {}

  private readonly look = async (): Promise<void> => {
    found = {
      run: await failureOf(this.scopes.run(() => this.tenants.get())),
      got: await failureOf(this.tenants.get()),
      held: await failureOf(Promise.resolve().then(() => this.scopes.hold())),
    };
  };

  @Get('timer') timer(): string {
    const timer = setInterval(() => {
      if (!ticking) return;
      clearInterval(timer);
      void this.look();
    }, 1);
    return 'started';
  }
  @Get('listener') listener(): string {
    const look = AsyncResource.bind(this.look);
    events.once('tick', () => void look());
    return 'started';
  }
  @Get('queue') start(): string {
    this.queue = this.queue.then(() => new Promise(resolve => events.once('tick', resolve))).then(this.look);
    return 'started';
  }
  @Get('borrowing-timer') async borrowingTimer(): Promise<string> {
    await this.tenants.get();
    return this.timer();
  }
}

describe.each(PLATFORMS)('what a request on %s has started and is over', platform => {
  let running: RunningApp;

  beforeEach(async () => {
    found = undefined;
    ticking = false;
    running = await serve(platform, {
      imports: [
        PoolModule.forRoot({
          log: false,
          pools: [
            {
              name: 'tenants',
              maxTotal: 1,
              key: request => request.headers['x-tenant'],
              create: ({ key }: { key: unknown }) => ({ key }),
            },
          ],
        }),
      ],
      controllers: [Starter],
    });
  });
  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it.each(['timer', 'listener', 'queue', 'borrowing-timer'])(
    'has neither its scope nor its key, and may begin a scope of its own (%s)',
    async path => {
      const { body } = await new Call(`${running.url}/${path}`, {
        headers: { 'x-tenant': 'first' },
      }).answer();
      expect(body).toBe('started');
      ticking = true;
      events.emit('tick');
      await until(
        () => found,
        seen => seen !== undefined,
      );
      const { run, got, held } = found!;
      expect(run).toBeInstanceOf(BorrowKeyError);
      expect((run as Error).message).toContain('there is no request here');
      expect(got).toBeInstanceOf(BorrowScopeEndedError);
      expect(held).toBeInstanceOf(BorrowScopeEndedError);
    },
  );
});
