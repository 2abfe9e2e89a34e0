import { get } from 'node:http';
import { Controller, Get, Query } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Borrow, BorrowSignal, PoolModule, getPoolToken, type Pool } from '../../src/index.js';
import { workerPool, type PooledWorker } from '../../src/resources/worker.js';
import { fixture, type Crunch } from '../support/crunch.js';
import { forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { until } from '../support/until.js';

type Worker = PooledWorker<Crunch>;

let arrived: () => void = () => undefined;

@Controller()
class SumsController {
  @Get('sum') sum(@Borrow('crunch') crunch: Worker, @Query('a') a: string): Promise<number> {
    return crunch.call('later', { a: Number(a), b: 1 });
  }

  @Get('wait') wait(@Borrow('crunch') crunch: Worker, @BorrowSignal() signal: AbortSignal): Promise<never> {
    const waiting = crunch.call('wait', undefined, { signal });
    arrived();
    return waiting;
  }

  @Get('reason') async reason(@Borrow('crunch') crunch: Worker): Promise<string> {
    return (await crunch.call('reason')) ?? 'none';
  }
}

let running: RunningApp;
let pool: Pool<Worker>;

beforeAll(async () => {
  running = await serve('express', {
    imports: [
      PoolModule.forRoot({
        pools: [
          {
            name: 'crunch',
            useFactory: () => workerPool<Crunch>({ script: fixture('crunch.mjs'), min: 1, max: 1 }),
            start: 'required',
          },
        ],
      }),
    ],
    controllers: [SumsController],
  });
  pool = running.app.get<Pool<Worker>>(getPoolToken('crunch'));
});
afterAll(async () => {
  await running.app.close();
  forgetLoggers();
  expect(process.getActiveResourcesInfo()).not.toContain('MessagePort');
});

describe('a request that borrows a worker', () => {
  it('has it to itself, and gives it back', async () => {
    const sums = await Promise.all(
      Array.from({ length: 20 }, async (_, a) => (await fetch(`${running.url}/sum?a=${a}`)).text()),
    );
    expect(sums).toEqual(Array.from({ length: 20 }, (_, a) => String(a + 1)));
    expect(pool.stats().totals.created).toBe(1);
  });

  it('stops its task when the client leaves', async () => {
    const called = new Promise<void>(resolve => (arrived = resolve));
    const request = get(`${running.url}/wait`).on('error', () => undefined);
    await called;
    request.destroy();
    await until(
      () => pool.stats(),
      ({ idle }) => idle === 1,
    );
    expect(await (await fetch(`${running.url}/reason`)).text()).not.toBe('none');
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });
});
