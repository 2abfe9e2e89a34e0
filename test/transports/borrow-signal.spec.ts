import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import {
  Borrow,
  BorrowSignal,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  PoolRegistry,
  RequestAbortedError,
  type PoolStats,
} from '../../src/index.js';
import { assertNoLeases } from '../../src/testing/index.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

@Controller()
class Work {
  reason: unknown;
  constructor(
    private readonly stage: Stage,
    @InjectBorrowed('items') private readonly items: Borrowed<object>,
  ) {}

  @Get('heeds')
  async heeds(@Borrow('items') _item: object, @BorrowSignal() signal: AbortSignal): Promise<string> {
    this.note(signal);
    await this.stage.pass('working');
    return signal.aborted ? 'too late' : 'in time';
  }

  @Get('heeds-alone')
  async heedsAlone(@BorrowSignal() signal: AbortSignal): Promise<string> {
    this.note(signal);
    await this.stage.pass('working');
    return 'in time';
  }

  @Get('heeds-first')
  async heedsFirst(@BorrowSignal() signal: AbortSignal): Promise<string> {
    this.note(signal);
    await this.items.get();
    await this.stage.pass('working');
    return 'in time';
  }

  @Get('by-hand')
  byHand(
    @Res() response: ServerResponse & { raw?: ServerResponse },
    @BorrowSignal() signal: AbortSignal,
  ): void {
    this.note(signal);
    (response.raw ?? response).write('begun');
  }

  @Get('lease')
  async lease(): Promise<string> {
    const { signal } = await this.items.lease();
    this.note(signal);
    await this.stage.pass('working');
    return 'in time';
  }

  private note(signal: AbortSignal): void {
    signal.addEventListener('abort', () => {
      this.reason = signal.reason;
      this.stage.note('aborted');
    });
  }
}

describe.each(PLATFORMS)('the signal of a request on %s', platform => {
  let running: RunningApp;
  let stage: Stage;
  const start = async (more: object = {}): Promise<void> => {
    running = await serve(platform, {
      imports: [
        PoolModule.forRoot({ shutdownTimeout: 1, pools: [{ name: 'items', create: () => ({}), ...more }] }),
      ],
      controllers: [Work],
      providers: [{ provide: Stage, useValue: stage }],
    });
  };
  const stats = (): PoolStats => running.app.get(PoolRegistry).get('items').stats();
  const reason = (): unknown => running.app.get(Work).reason;

  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(async () => {
    stage.openAll();
    await running.app.close();
    forgetLoggers();
  });

  it('is not aborted by an answer', async () => {
    await start();
    stage.open('working');
    const answer = await new Call(`${running.url}/heeds`).answer();
    expect(answer.body).toBe('in time');
    await assertNoLeases(running.app);
    expect(reason()).toBeUndefined();
  });

  it('tells a handler that its client has left, and leaves it what it has borrowed', async () => {
    await start();
    const call = new Call(`${running.url}/heeds`);
    await stage.reached('working');
    call.leave();
    await stage.reached('aborted');
    expect(reason()).toBeInstanceOf(RequestAbortedError);
    expect(stats().leased).toBe(1);
    stage.open('working');
    await assertNoLeases(running.app);
  });

  it.each(['heeds-alone', 'by-hand'])('tells also one that has borrowed nothing (%s)', async path => {
    await start();
    const call = new Call(`${running.url}/${path}`);
    if (path === 'by-hand') await call.firstBytes();
    else await stage.reached('working');
    call.leave();
    await stage.reached('aborted');
    expect(reason()).toBeInstanceOf(RequestAbortedError);
  });

  it.each(['heeds', 'heeds-first', 'lease'])(
    'tells that a pool has taken its resource away (%s)',
    async path => {
      await start({ maxHold: 1, maxHoldAction: 'destroy' });
      const answer = new Call(`${running.url}/${path}`).answer();
      await stage.reached('aborted');
      expect((reason() as Error).message).toMatch(/maxHold/);
      expect(stats().totals.destroyedBy).toEqual({ held: 1 });
      stage.open('working');
      await answer;
    },
  );

  it('tells a handler that hangs at the deadline of a shutdown', async () => {
    await start();
    const call = new Call(`${running.url}/heeds`);
    await stage.reached('working');
    const closed = running.app.close();
    await stage.reached('aborted');
    expect(stats()).toMatchObject({ leased: 0, state: 'closed' });
    stage.open('working');
    call.leave();
    await closed;
  });
});
