import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  SetMetadata,
  VersioningType,
  type ArgumentsHost,
  type CanActivate,
  type ExecutionContext,
  type ExceptionFilter,
  type INestApplication,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, Reflector } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { PoolModule, PoolRegistry, type PoolDefinition } from '../../src/index.js';
import {
  PoolHealthController,
  PoolHealthModule,
  type HealthAnswer,
  type PoolHealthModuleOptions,
} from '../../src/terminus/index.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { until } from '../support/until.js';

const IS_PUBLIC = 'isPublic';

/** As most applications have one: nobody comes in without a token, but to what is marked as public. */
class TokenGuard implements CanActivate {
  private readonly reflector = new Reflector();

  canActivate(context: ExecutionContext): boolean {
    return this.reflector.getAllAndOverride(IS_PUBLIC, [context.getHandler(), context.getClass()]) === true;
  }
}

class ByClassGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getClass().prototype instanceof PoolHealthController;
  }
}

@Catch()
class EverythingIsFine implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    (response.raw ?? response).end('fine');
  }
}

describe.each(PLATFORMS)('PoolHealthModule on %s', platform => {
  let running: RunningApp | undefined;

  interface Setting {
    readonly health?: PoolHealthModuleOptions;
    readonly pools?: PoolDefinition[];
    readonly providers?: { provide: symbol | string; useClass: new () => unknown }[];
    readonly prepare?: (app: INestApplication) => unknown;
  }
  const boot = async ({ health, pools, providers = [], prepare }: Setting = {}): Promise<void> => {
    running = await serve(
      platform,
      {
        imports: [
          PoolModule.forRoot({
            log: false,
            pools: pools ?? [
              { name: 'db', create: () => ({}), max: 1 },
              { name: 'renderer', create: () => ({}), max: 1 },
            ],
          }),
          PoolHealthModule.forRoot(health),
        ],
        providers,
      },
      prepare,
    );
  };
  const ask = async (path: string): Promise<{ status: number; answer: HealthAnswer; cached: unknown }> => {
    const { status, headers, body } = await get(`${running!.url}${path}`);
    return { status, answer: JSON.parse(body) as HealthAnswer, cached: headers['cache-control'] };
  };
  /** About the process, and nothing else. */
  const expectAlive = async (): Promise<void> => {
    const { status, answer } = await ask('/health/live');
    expect(status).toBe(200);
    const info = { process: { status: 'up' } };
    expect(answer).toEqual({ status: 'ok', info, error: {}, details: info });
  };
  const registry = (): PoolRegistry => running!.app.get(PoolRegistry);

  afterEach(async () => {
    await running?.app.close();
    running = undefined;
    forgetLoggers();
  });

  it('serves live, ready and startup, for every pool of the application', async () => {
    await boot();
    await expectAlive();
    expect(await ask('/health/ready')).toMatchObject({
      status: 200,
      answer: { status: 'ok', error: {}, details: { db: { status: 'up' }, renderer: { status: 'up' } } },
      cached: expect.stringContaining('no-store'),
    });
    expect(await ask('/health/startup')).toMatchObject({
      status: 200,
      answer: { details: { db: { status: 'up' }, renderer: { status: 'up' } } },
    });
  });

  it('is not ready with 503 while one pool is down, and lives on', async () => {
    await boot();
    registry().get('db').suspend();
    expect(await ask('/health/ready')).toMatchObject({
      status: 503,
      answer: {
        status: 'error',
        error: { db: { status: 'down', reason: 'suspended' } },
        info: { renderer: { status: 'up' } },
      },
    });
    await expectAlive();
    registry().get('db').resume();
    expect(await ask('/health/ready')).toMatchObject({ status: 200 });
  });

  it('is ready while a pool is saturated but serving', async () => {
    await boot();
    const lease = await registry().get('db').acquire();
    const { status, answer } = await ask('/health/ready');
    expect(status).toBe(200);
    expect(JSON.stringify(answer.info)).toContain('saturated');
    lease.release();
  });

  it('asks for the chosen pools only, each with its own options', async () => {
    await boot({
      health: { pools: { db: { whenUnavailable: 'degraded' } } },
      pools: [
        {
          name: 'db',
          create: () => Promise.reject(new Error('postgres://admin:hunter2@db.internal')),
          unavailableAfter: 1,
          createBackoff: { initial: 600_000, max: 600_000 },
        },
        { name: 'renderer', create: () => ({}) },
      ],
    });
    registry().get('renderer').suspend();
    await registry()
      .get('db')
      .acquire()
      .catch(() => undefined);
    const { status, answer } = await ask('/health/ready');
    expect(status).toBe(200);
    expect(Object.keys(answer.details)).toEqual(['db']);
    expect(JSON.stringify(answer)).toContain('unavailable');
    expect(JSON.stringify(answer)).not.toMatch(/hunter2|internal/);
  });

  it('is not started, and not ready, until a warm pool is', async () => {
    let there = false;
    await boot({
      pools: [
        {
          name: 'db',
          create: () => (there ? {} : Promise.reject(new Error('refused'))),
          createBackoff: { initial: 1, max: 1 },
          min: 1,
          start: 'warm',
          startTimeout: 20,
        },
      ],
    });
    expect(await ask('/health/startup')).toMatchObject({ status: 503 });
    expect(await ask('/health/ready')).toMatchObject({ status: 503 });
    await expectAlive();
    there = true;
    await until(
      () => ask('/health/startup'),
      ({ status }) => status === 200,
    );
    expect(await ask('/health/ready')).toMatchObject({ status: 200 });
  });

  it('is where the path says, under a global prefix, and has no version', async () => {
    await boot({
      health: { path: 'internal/probes' },
      prepare: app =>
        app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    });
    for (const probe of ['live', 'ready', 'startup']) {
      expect(await ask(`/api/internal/probes/${probe}`)).toMatchObject({ status: 200 });
    }
    expect(await get(`${running!.url}/health/live`)).toMatchObject({ status: 404 });
  });

  it('is behind a global guard until its decorators let it through', async () => {
    await boot({ providers: [{ provide: APP_GUARD, useClass: TokenGuard }] });
    expect(await ask('/health/ready')).toMatchObject({ status: 403 });
    await running?.app.close();
    await boot({
      health: { decorators: [SetMetadata(IS_PUBLIC, true)] },
      providers: [{ provide: APP_GUARD, useClass: TokenGuard }],
    });
    expect(await ask('/health/ready')).toMatchObject({ status: 200 });
  });

  it('is known to a guard by its class', async () => {
    await boot({ providers: [{ provide: APP_GUARD, useClass: ByClassGuard }] });
    expect(await ask('/health/ready')).toMatchObject({ status: 200 });
  });

  it('keeps its 503 from a catch-all filter, and out of the log', async () => {
    await boot({ providers: [{ provide: APP_FILTER, useClass: EverythingIsFine }] });
    registry().get('db').suspend();
    const before = running!.log.lines.length;
    expect(await ask('/health/ready')).toMatchObject({ status: 503, answer: { status: 'error' } });
    expect(running!.log.lines).toHaveLength(before);
  });

  it('is not ready from the first moment of a shutdown on, and lives on', async () => {
    let release!: () => void;
    const grace = new Promise<void>(resolve => (release = resolve));
    class Grace {
      beforeApplicationShutdown = (): Promise<void> => grace;
    }
    await boot({ providers: [{ provide: 'grace', useClass: Grace }] });
    const closing = running!.app.close();
    try {
      await until(
        () => ask('/health/ready'),
        ({ status }) => status === 503,
      );
      expect(await ask('/health/ready')).toMatchObject({
        answer: { error: { db: { reason: 'the application is shutting down' } } },
      });
      await expectAlive();
      await registry()
        .get('db')
        .use(() => undefined);
    } finally {
      release();
    }
    await closing;
    running = undefined;
  });

  it('tells of a shutdown also where there is no pool', async () => {
    await boot({ pools: [] });
    expect(await ask('/health/ready')).toMatchObject({ status: 200 });
    registry().shuttingDown = true;
    expect(await ask('/health/ready')).toMatchObject({ status: 503, answer: { status: 'error' } });
  });

  it('does not start with the name of a pool that is not there', async () => {
    await expect(boot({ health: { pools: ['dB'] } })).rejects.toThrow(/"dB".*db/s);
  });

  it.each([
    [{ paht: 'health' }, 'there is no option paht; there are path, pools, readiness, decorators'],
    [{ path: 7 }, "path is 7; it must be a string, such as 'health'"],
    [{ readiness: { maxWait: '1s' } }, 'readiness: maxWait is 1s; it must be milliseconds ≥ 0'],
    [{ pools: { db: { cacheFor: -1 } } }, "pools['db']: cacheFor is -1; it must be milliseconds ≥ 0"],
  ])('refuses the wrong options %j', (options, message) => {
    expect(() => PoolHealthModule.forRoot(options as PoolHealthModuleOptions)).toThrow(message);
  });
});
