import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { PoolModule, type AnyPool, type PoolModuleRootOptions, type PoolTelemetry } from '../../src/index.js';

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
});
