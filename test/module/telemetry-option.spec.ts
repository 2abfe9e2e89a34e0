import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { PoolModule, type AnyPool, type PoolModuleRootOptions, type PoolTelemetry } from '../../src/index.js';
import { LogBook, forgetLoggers } from '../support/nest-app.js';

class Watcher implements PoolTelemetry {
  readonly told: string[] = [];

  watch(pool: AnyPool<unknown>): () => void {
    this.told.push(`${pool.name} ${pool.stats().total}`);
    return () => void this.told.push(`${pool.name} ${pool.stats().state}`);
  }
}

const create = (): object => ({});

async function started(options: PoolModuleRootOptions) {
  const module = await Test.createTestingModule({
    imports: [PoolModule.forRoot(options), PoolModule.forFeature([{ name: 'late', create }])],
  }).compile();
  return module.init();
}

describe('the telemetry of an application', () => {
  it('is told of each pool before anything is borrowed, and ended when all are closed', async () => {
    const [one, other] = [new Watcher(), new Watcher()];
    const app = await started({
      telemetry: [one, other],
      pools: [
        { name: 'warm', create, min: 1, start: 'warm' },
        { name: 'tenants', create, maxTotal: 2 },
      ],
    });
    expect([...one.told].sort()).toEqual(['late 0', 'tenants 0', 'warm 0']);
    expect(other.told).toEqual(one.told);
    one.told.length = 0;
    await app.close();
    expect([...one.told].sort()).toEqual(['late closed', 'tenants closed', 'warm closed']);
  });

  it('is ended, too, when the application cannot start', async () => {
    const watcher = new Watcher();
    const down = (): never => {
      throw new Error('down');
    };
    const pools = [{ name: 'down', create: down, start: 'required' as const, startTimeout: 50, min: 1 }];
    await expect(started({ telemetry: watcher, pools })).rejects.toThrow('cannot start');
    expect(watcher.told).toContain('down closed');
  });

  it.each([['otel'], [{}], [[{ watch: true }]], [null]])('is refused when it is %j', async telemetry => {
    await expect(started({ telemetry } as never)).rejects.toThrow(/telemetry .* watch\(\) function/);
  });

  it('that cannot watch keeps the application from starting: it is said why, the pool is closed, and nobody watches it', async () => {
    const watcher = new Watcher();
    const made: AnyPool<unknown>[] = [];
    const broken: PoolTelemetry = {
      watch(pool) {
        made.push(pool);
        throw new Error('no collector');
      },
    };
    const pools = [{ name: 'items', create, min: 1, start: 'required' as const }];
    const module = Test.createTestingModule({
      imports: [PoolModule.forRoot({ telemetry: [watcher, broken], pools })],
    });
    await expect(module.compile()).rejects.toThrow(
      'PoolModule: telemetry cannot watch pool "items": no collector',
    );
    expect(made.map(pool => [pool.stats().state, pool.stats().total])).toEqual([['closed', 0]]);
    expect(watcher.told).toEqual(['items 0', 'items ready']);
  });

  it.each([
    ['an object', Promise.resolve()],
    ['a string', 'ended'],
  ])('is refused when it gives %s to end it with', async (what, end) => {
    const telemetry = { watch: () => end as never };
    await expect(started({ telemetry })).rejects.toThrow(
      `for pool "late" its watch() gave ${what}; it must give a function that ends it`,
    );
  });

  it('that cannot be ended keeps neither the others nor the application from it, and it is logged', async () => {
    const watcher = new Watcher();
    const broken: PoolTelemetry = {
      watch: () => () => {
        throw new Error('collector gone');
      },
    };
    const app = await started({ telemetry: [broken, watcher], log: false });
    const log = new LogBook();
    app.useLogger(log);
    await app.close();
    forgetLoggers();
    expect(watcher.told).toEqual(['late 0', 'late closed']);
    expect(log.lines).toEqual(['warn: Telemetry of a pool could not be ended: collector gone']);
  });
});
