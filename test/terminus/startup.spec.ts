import { afterEach, describe, expect, it } from '@jest/globals';
import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import { PoolModule, PoolRegistry, type PoolDefinition } from '../../src/index.js';
import { PoolHealthIndicator } from '../../src/terminus/index.js';
import { until } from '../support/until.js';

describe('startup', () => {
  let testing: TestingModule | undefined;
  let health: PoolHealthIndicator;

  const compile = async (...pools: PoolDefinition[]): Promise<TestingModule> => {
    testing = await Test.createTestingModule({
      imports: [TerminusModule, PoolModule.forRoot({ log: false, pools })],
      providers: [PoolHealthIndicator],
    }).compile();
    health = testing.get(PoolHealthIndicator);
    return testing;
  };
  const statusOf = (name: string): unknown => health.startup(name)[name]?.status;

  afterEach(async () => {
    await testing?.close();
    testing = undefined;
  });

  it('is up at once for a pool that starts with its first borrow', async () => {
    await (await compile({ name: 'db', create: () => ({}) })).init();
    expect(health.startup()).toMatchObject({ db: { status: 'up', idle: 0 } });
  });

  it.each(['warm', 'required'] as const)('is down until a %s pool has started', async start => {
    let finish!: (resource: object) => void;
    const create = (): Promise<object> => new Promise<object>(resolve => (finish = resolve));
    const starting = (await compile({ name: 'db', create, min: 1, start })).init();
    await until(
      () => testing!.get(PoolRegistry).get('db').stats().creating,
      creating => creating === 1,
    );
    expect(health.startup()).toMatchObject({
      db: { status: 'down', reason: `not started yet (start: '${start}')` },
    });
    finish({});
    await starting;
    expect(statusOf('db')).toBe('up');
  });

  it('of a warm pool whose backend appears after the application is up from then on, and stays so', async () => {
    let there = false;
    const broken = new Set<object>();
    const create = (): object => {
      if (!there) throw new Error('refused');
      return {};
    };
    const createBackoff = { initial: 1, max: 1 };
    const validate = (resource: object): boolean => !broken.has(resource);
    await (
      await compile({ name: 'db', create, validate, createBackoff, min: 1, start: 'warm', startTimeout: 20 })
    ).init();
    expect(statusOf('db')).toBe('down');
    expect((await health.readiness('db')).db).toMatchObject({ status: 'down' });
    there = true;
    await until(
      () => statusOf('db'),
      status => status === 'up',
    );
    expect((await health.readiness('db')).db).toMatchObject({ status: 'up' });
    // What becomes of it later is for readiness to tell.
    testing!.get(PoolRegistry).get('db').suspend();
    expect(statusOf('db')).toBe('up');
    testing!.get(PoolRegistry).get('db').resume();
  });

  it('is down for a pool nobody registered', async () => {
    await (await compile()).init();
    expect(health.startup('nope')).toEqual({ nope: { status: 'down', reason: 'not registered' } });
  });
});
