import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Registry } from 'prom-client';
import { PoolDashboardModule } from '../../src/dashboard/index.js';
import { instrumentPools } from '../../src/otel/index.js';
import { PgPoolModule } from '../../src/pg/index.js';
import { PoolHealthModule } from '../../src/terminus/index.js';
import { PoolMetricsModule } from '../../src/prometheus/index.js';

describe('what looks at the pools of an application', () => {
  it.each([
    ['PoolDashboardModule', PoolDashboardModule.forRoot({ open: true })],
    ['PgPoolModule', PgPoolModule.forFeature(['orders'])],
    ['PoolHealthIndicator', PoolHealthModule.forRoot()],
    ['PoolMetricsModule', PoolMetricsModule.forRoot({ registry: new Registry() })],
  ])('says what is missing where there are none: %s', async (name, module) => {
    const compiled = Test.createTestingModule({ imports: [module] }).compile();
    await expect(compiled).rejects.toThrow(`${name}: the application has no PoolModule.`);
  });
});

describe('instrumentPools', () => {
  it('says where its options go', () => {
    expect(() => instrumentPools({ pools: [] } as never)).toThrow(
      'instrumentPools(undefined, { pools: [ … ] })',
    );
  });
});

describe('the options of the live page that make up its routes', () => {
  it('cannot come from a factory, and are told where they go', async () => {
    const module = PoolDashboardModule.forRootAsync({ useFactory: () => ({ guard: class {} }) as never });
    const compiled = Test.createTestingModule({ imports: [module] }).compile();
    await expect(compiled).rejects.toThrow('forRootAsync({ guard: …, useFactory: … })');
  });
});
