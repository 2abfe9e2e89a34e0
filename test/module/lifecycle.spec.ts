import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Sse, type INestApplication } from '@nestjs/common';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type Server } from 'node:http';
import { NEVER, startWith, type Observable } from 'rxjs';
import {
  Borrow,
  Pool,
  PoolModule,
  PoolRegistry,
  PoolStartError,
  type PoolDefinition,
  type PoolModuleRootOptions,
} from '../../src/index.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

@Controller()
class Work {
  constructor(private readonly stage: Stage) {}

  @Get('slow')
  async slow(@Borrow('items') _item: object): Promise<object> {
    await this.stage.pass('working');
    return { done: true };
  }

  @Sse('events')
  events(@Borrow('items') _item: object): Observable<{ data: string }> {
    this.stage.note('subscribed');
    return NEVER.pipe(startWith({ data: 'hello' }));
  }
}

describe.each(PLATFORMS)('the life of pools in an application on %s', platform => {
  let running: RunningApp | undefined;
  let stage: Stage;
  let destroyed: string[];

  const items = (more: Partial<PoolDefinition> = {}): PoolDefinition =>
    ({
      name: 'items',
      create: () => ({}),
      destroy: (_item: unknown, reason: string) => destroyed.push(`items ${reason}`),
      ...more,
    }) as PoolDefinition;

  const start = async (
    options: PoolModuleRootOptions,
    prepare?: (app: INestApplication) => void,
  ): Promise<RunningApp> => {
    running = await serve(
      platform,
      {
        imports: [PoolModule.forRoot(options)],
        controllers: [Work],
        providers: [{ provide: Stage, useValue: stage }],
      },
      prepare,
    );
    return running;
  };

  beforeEach(() => {
    stage = new Stage();
    destroyed = [];
  });

  afterEach(async () => {
    stage.openAll();
    await running?.app.close();
    running = undefined;
    forgetLoggers();
  });

  it('creates nothing before the first borrow when it is lazy', async () => {
    const { app } = await start({ pools: [items({ min: 2 })] });
    expect(app.get(PoolRegistry).get('items').stats().totals.created).toBe(0);
  });

  it('has min resources when it serves, when it is warm', async () => {
    const { app } = await start({ pools: [items({ min: 2, start: 'warm' })] });
    expect(app.get(PoolRegistry).get('items').stats()).toMatchObject({ idle: 2, state: 'ready' });
  });

  it('boots without a warm pool that cannot start, says so, and the pool goes on trying', async () => {
    let up = false;
    const create = (): object => {
      if (!up) throw new Error('no backend yet');
      return {};
    };
    const { app, log } = await start({
      pools: [
        items({
          min: 1,
          start: 'warm',
          create,
          unavailableAfter: 2,
          createBackoff: { initial: 1, max: 1 },
        } as never),
      ],
    });
    const pool = app.get(PoolRegistry).get('items');
    expect(pool.stats().state).toBe('unavailable');
    expect(log.lines).toContainEqual(expect.stringMatching(/warn:.*goes on without it/));
    up = true;
    await until(
      () => pool.stats().state,
      state => state === 'ready',
    );
    expect(log.ofPools).toContainEqual(expect.stringMatching(/log: Pool "items" has recovered/));
  });

  it('does not boot without a required pool, closes the others first, and says why', async () => {
    const other = {
      name: 'other',
      create: () => ({}),
      destroy: () => destroyed.push('other'),
      min: 1,
      start: 'warm',
    } as const;
    const create = (): object => {
      throw new Error('the backend is not there');
    };
    const booting = start({
      pools: [
        other,
        items({ start: 'required', startTimeout: 20, create, unavailableAfter: 1, min: 0 } as never),
      ],
    });
    const error: unknown = await booting.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PoolStartError);
    expect((error as Error).message).toMatch(/cannot start.*"items".*the backend is not there/);
    expect(destroyed).toEqual(['other']);
  });

  it('lets a request in flight finish before the pool is closed', async () => {
    const { app, url } = await start({ pools: [items()] });
    const call = new Call(`${url}/slow`);
    await stage.reached('working');
    const closing = app.close();
    await until(
      () => app.get(PoolRegistry).shuttingDown,
      down => down,
    );
    expect(destroyed).toEqual([]);
    stage.open('working');
    if (platform === 'express')
      expect(await call.answer()).toMatchObject({ status: 200, body: '{"done":true}' });
    await closing;
    expect(destroyed).toEqual(['items closed']);
  });

  it('completes an open subscription, which would keep the server from closing', async () => {
    const { app, url } = await start({ pools: [items()], shutdownTimeout: 600_000 });
    const call = new Call(`${url}/events`);
    await call.firstBytes();
    await stage.reached('subscribed');
    expect(app.get(PoolRegistry).get('items').stats().leased).toBe(1);
    await app.close();
    expect(destroyed).toEqual(['items closed']);
    call.leave();
  });

  it('completes an open subscription when another one closes the server, and the connection that was kept alive', async () => {
    const { app, url } = await start({ pools: [items()], shutdownTimeout: 600_000 });
    const server = app.getHttpServer() as Server;
    server.keepAliveTimeout = 600_000;
    const agent = new Agent({ keepAlive: true });
    const call = new Call(`${url}/events`, { agent });
    await call.firstBytes();
    const closed = new Promise(resolve => server.close(resolve));
    await Promise.all([call.rest(), closed]);
    expect(app.get(PoolRegistry).shuttingDown).toBe(true);
    agent.destroy();
  });

  it('waits for a handler without end when the deadline is Infinity', async () => {
    const { app, url } = await start({ pools: [items()], shutdownTimeout: Infinity });
    const call = new Call(`${url}/slow`);
    await stage.reached('working');
    const closing = app.close();
    await until(
      () => app.get(PoolRegistry).stopping.aborted,
      stopping => stopping,
    );
    await new Promise(resolve => setTimeout(resolve, 5));
    expect(destroyed).toEqual([]);
    stage.open('working');
    expect((await call.answer()).status).toBe(200);
    await closing;
    expect(destroyed).toEqual(['items closed']);
  });

  it('takes resources away at the deadline when a handler hangs', async () => {
    const { app, url, log } = await start({ pools: [items({ leakThreshold: 600_000 })], shutdownTimeout: 1 });
    const call = new Call(`${url}/slow`);
    await stage.reached('working');
    const closing = app.close();
    await until(
      () => destroyed,
      list => list.length > 0,
    );
    expect(app.get(PoolRegistry).get('items').stats()).toMatchObject({ state: 'closed', leased: 0 });
    expect(log.ofPools).toContainEqual(
      expect.stringMatching(/warn:.*was not back at the end of close\(\).*destroyed.*\n\s+at /),
    );
    stage.open('working');
    call.leave();
    await closing;
  });

  it('closes pools in reverse order, and one that cannot close does not keep the others from it', async () => {
    const order: string[] = [];
    const pool = (name: string, destroy?: () => unknown): PoolDefinition => ({
      name,
      create: () => ({}),
      destroy: destroy ?? (() => order.push(name)),
      min: 1,
      start: 'warm',
      destroyTimeout: 1,
    });
    const { app } = await start({
      pools: [pool('items'), pool('stuck', () => new Promise(() => undefined)), pool('last')],
    });
    await app.close();
    expect(order).toEqual(['last', 'items']);
  });

  it('closes pools in reverse order of their list, whichever was made first', async () => {
    const order: string[] = [];
    const pool = (name: string, turns: number): PoolDefinition => ({
      name,
      useFactory: async () => {
        for (let i = 0; i < turns; i++) await new Promise(resolve => setImmediate(resolve));
        return { create: () => ({}), destroy: () => order.push(name) };
      },
      min: 1,
      start: 'warm',
    });
    const { app } = await start({ pools: [pool('items', 2), pool('second', 1), pool('last', 0)] });
    expect(app.get(PoolRegistry).names()).toEqual(['items', 'second', 'last']);
    await app.close();
    expect(order).toEqual(['last', 'second', 'items']);
  });

  it('says when nothing will tell it to shut down', async () => {
    const { log } = await start({ pools: [items()] });
    expect(log.lines).toContainEqual(expect.stringMatching(/warn:.*enableShutdownHooks/));
    await running?.app.close();
    const hooked = await start({ pools: [items()] }, app => app.enableShutdownHooks());
    expect(hooked.log.lines).not.toContainEqual(expect.stringMatching(/enableShutdownHooks/));
  });

  it('is done with a pool that was closed by hand', async () => {
    const { app } = await start({ pools: [items()] });
    const pool: Pool<unknown> = app.get(PoolRegistry).get('items');
    await pool.close();
    await app.close();
    expect(pool.stats().state).toBe('closed');
  });
});

describe('a process that is told to stop', () => {
  it('hastens on a second signal', async () => {
    const child = spawn(process.execPath, [new URL('../fixtures/hung-app.mjs', import.meta.url).pathname]);
    const exited = once(child, 'exit');
    let output = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    child.stderr.on('data', chunk => (output += String(chunk)));
    const seen = (pattern: RegExp): Promise<string> =>
      until(
        () => output,
        text => pattern.test(text),
      );
    try {
      await seen(/http:\S+\n/);
      const call = new Call(`${/http:\S+/.exec(output)?.[0] ?? ''}/hang`);
      await seen(/hanging/);
      child.kill('SIGTERM');
      // When the first has been taken note of cannot be seen from here, so the second is sent until it is.
      await until(
        () => child.kill('SIGTERM') && output,
        text => String(text).includes('SIGTERM again'),
      );
      await seen(/destroyed: closed/);
      call.leave();
      expect(await exited).toEqual([null, 'SIGTERM']);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

describe('a process whose application cannot start', () => {
  it('ends by itself, with everything closed, and says why', async () => {
    const child = spawn(process.execPath, [new URL('../fixtures/failing-app.mjs', import.meta.url).pathname]);
    const exited = once(child, 'exit');
    let output = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    try {
      expect(await exited).toEqual([3, null]);
      expect(output).toMatch(/closed the open one\nPoolStartError: .*"missing".*nobody answers/);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
