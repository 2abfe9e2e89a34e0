import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Server } from 'node:http';
import request from 'supertest';
import { Borrow, Pool, PoolModule, PoolTimeoutError, getPoolToken } from '../../src/index.js';
import { failureOf } from '../support/follow.js';

@Controller()
class DesksController {
  @Get() find(@Borrow('desks') desk: object): string {
    return typeof desk;
  }
}

let module: TestingModule;
async function start(): Promise<Pool<object>> {
  module = await Test.createTestingModule({
    imports: [
      PoolModule.forRoot({
        log: false,
        pools: [{ name: 'desks', max: 1, acquireTimeout: 1_000, idleTimeout: 60_000, create: () => ({}) }],
      }),
    ],
    controllers: [DesksController],
  }).compile();
  await module.init();
  return module.get<Pool<object>>(getPoolToken('desks'));
}

afterEach(() => {
  jest.useRealTimers();
});

const TURNS = ['nextTick', 'setImmediate', 'queueMicrotask'] as const;
const fake = (): unknown => jest.useFakeTimers();
const fakeButTurns = (): unknown => jest.useFakeTimers({ doNotFake: [...TURNS] });

describe.each([
  ['everything', fake],
  ['everything but turns of the event loop', fakeButTurns],
])('with timers of Jest that fake %s', (_, useFakes) => {
  it.each([
    ['before the application starts', true],
    ['when it is running', false],
  ])('put in place %s, time that a test lets pass is that of the pool', async (_, before) => {
    if (before) useFakes();
    const pool = await start();
    // What is idle has a deadline: there is a timer already.
    await pool.use(() => undefined);
    if (!before) useFakes();
    const lease = await pool.acquire();
    const failure = failureOf(pool.acquire());
    await jest.advanceTimersByTimeAsync(900);
    expect(pool.stats().waiting).toBe(1);
    await jest.advanceTimersByTimeAsync(200);
    expect(pool.stats().waiting).toBe(0);
    expect(await failure).toBeInstanceOf(PoolTimeoutError);
    lease.release();
    await module.close();
  });

  it('time that passes at once is seen by who waits as well', async () => {
    useFakes();
    const pool = await start();
    const lease = await pool.acquire();
    const failure = failureOf(pool.acquire());
    await jest.advanceTimersByTimeAsync(86_400_000);
    expect(await failure).toBeInstanceOf(PoolTimeoutError);
    lease.release();
    await module.close();
  });

  it('a deadline further away than the one that real timers were set for is kept', async () => {
    const pool = await start();
    await pool.use(() => undefined);
    useFakes();
    const lease = await pool.acquire();
    const failure = failureOf(pool.acquire({ timeout: 120_000 }));
    await jest.advanceTimersByTimeAsync(125_000);
    expect(pool.stats().waiting).toBe(0);
    expect(await failure).toBeInstanceOf(PoolTimeoutError);
    lease.release();
    await module.close();
  });

  it('real timers that come back are those of the pool', async () => {
    useFakes();
    const pool = await start();
    const lease = await pool.acquire();
    const early = failureOf(pool.acquire());
    await jest.advanceTimersByTimeAsync(1_100);
    await early;
    await jest.advanceTimersByTimeAsync(100);
    jest.useRealTimers();
    expect(await failureOf(pool.acquire({ timeout: 20 }))).toBeInstanceOf(PoolTimeoutError);
    lease.release();
    await module.close();
  });

  it('no time passes when they are put in place, or taken away', async () => {
    const pool = await start();
    const held: number[] = [];
    pool.addListener({ onRelease: ({ heldMs }) => held.push(heldMs) });
    let lease = await pool.acquire();
    useFakes();
    lease.release();
    lease = await pool.acquire();
    await jest.advanceTimersByTimeAsync(86_400_000);
    lease.release();
    lease = await pool.acquire();
    jest.useRealTimers();
    lease.release();
    const none: unknown = expect.closeTo(0, -4);
    expect(held).toEqual([none, expect.closeTo(86_400_000, -4), none]);
    await module.close();
  });

  it('an application closes, used or not, though nobody lets time pass', async () => {
    useFakes();
    await start();
    await module.close();
    const pool = await start();
    await pool.use(() => undefined);
    await module.close();
    expect(pool.stats().state).toBe('closed');
  });

  it('requests are served, and what they have borrowed comes back', async () => {
    const pool = await start();
    const app = module.createNestApplication();
    await app.init();
    useFakes();
    await request(app.getHttpServer() as Server)
      .get('/')
      .expect(200, 'object');
    await app.close();
    expect(pool.stats()).toMatchObject({ state: 'closed', totals: { acquired: 1 } });
  });
});
