import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { createObserveModule } from '@nestjs/observe';
import { Borrow, PoolModule, PoolRegistry, type Pool } from '../../../src/index.js';
import { otel } from '../../../src/otel/index.js';
import { get } from '../../support/http-client.js';
import { forgetLoggers, serve } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { Metrics, Traces, forgetGlobals, useContexts } from './sdk.js';

@Controller()
class ThingsController {
  @Get('thing')
  async thing(@Borrow('things') thing: { id: number }): Promise<number> {
    await new Promise(setImmediate);
    return thing.id;
  }
}

beforeEach(useContexts);
afterEach(() => {
  forgetGlobals();
  forgetLoggers();
});

it('beside @nestjs/observe, each wait of a @Borrow is a part of its request, and the pool counts once', async () => {
  const seen = new Metrics();
  const traces = new Traces();
  const { ObserveModule, ObserveInstrument } = createObserveModule();
  const { app, url } = await serve(
    'express',
    {
      imports: [
        // Where nobody is: what it reports is not looked at here.
        ObserveModule.forRoot({
          appKey: 'key',
          appSecret: 'secret',
          serviceId: 'test',
          endpoint: 'http://127.0.0.1:9',
          runtimeMetrics: false,
        }),
        PoolModule.forRoot({
          telemetry: otel({ meterProvider: seen.provider, tracerProvider: traces.provider }),
          pools: [{ name: 'things', max: 1, create: () => ({ id: 7 }) }],
        }),
      ],
      controllers: [ThingsController],
    },
    application => {
      application.use((request: { url: string }, response: NodeJS.EventEmitter, next: () => void) => {
        traces.provider.getTracer('test').startActiveSpan(`request ${request.url}`, span => {
          response.once('close', () => {
            span.end();
          });
          next();
        });
      });
    },
    { instrument: ObserveInstrument! },
  );
  const pool = app.get(PoolRegistry).get('things') as unknown as Pool<object>;
  const held = await pool.acquire();
  const answers = ['a', 'b', 'c'].map(name => get(`${url}/thing?${name}`));
  await until(
    () => pool.stats(),
    ({ waiting }) => waiting === 3,
  );
  held.release();
  expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['7', '7', '7']);
  const requests = await until(
    () => traces.named('request'),
    found => found.length === 3,
  );
  const parents = traces.acquires.map(({ parentSpanContext }) => parentSpanContext?.spanId);
  for (const request of requests) expect(parents).toContain(request.spanContext().spanId);
  const collected = await seen.collect();
  expect(collected.values('nestjs_pool.resource.limit')).toEqual([1]);
  expect(collected.values('nestjs_pool.acquires')).toEqual([4]);
  await app.close();
  const last = await seen.collect();
  expect(last.values('nestjs_pool.resource.limit')).toEqual([0]);
  expect(last.values('nestjs_pool.destroys', { 'nestjs_pool.destroy.reason': 'closed' })).toEqual([1]);
});
