/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument -- as users of Nest write it: what a context holds is any */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Module, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
// The code of docs/observability.md, line by line: what it imports,
// npm install prom-client @willsoto/nestjs-prometheus
// npm install @opentelemetry/api @opentelemetry/sdk-node @opentelemetry/exporter-metrics-otlp-http @opentelemetry/exporter-trace-otlp-http
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeSDK, metrics } from '@opentelemetry/sdk-node';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { timingSafeEqual } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import type { AcquireContext } from 'nestjs-pool/engine';
import { instrumentPools, otel } from 'nestjs-pool/otel';
import { PoolMetricsModule } from 'nestjs-pool/prometheus';
import { register } from 'prom-client';
import { PoolDashboardModule } from '../../src/dashboard/index.js';
import { PoolModule, PoolRegistry, type Pool, type PoolDefinition } from '../../src/index.js';
import { forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { codeOf, shownOn } from '../support/shown-code.js';

const orders: PoolDefinition = { name: 'orders', create: () => ({}), max: 2 };

function sameText(given: string, expected = ''): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

// and what it does.

@Injectable()
class OperatorsGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const [, credentials = ''] = (http.getRequest().headers.authorization ?? '').split('Basic ');
    if (sameText(credentials, process.env.OPERATORS_BASIC_AUTH)) return true;
    http.getResponse().header('WWW-Authenticate', 'Basic realm="pools"');
    throw new UnauthorizedException();
  }
}

const dashboard =
  // A page for them.
  PoolDashboardModule.forRoot({ path: 'pools', guard: OperatorsGuard });

// prettier-ignore
@Module({
  imports: [PoolModule.forRoot({ pools: [orders] }), PrometheusModule.register(), PoolMetricsModule.forRoot()],
})
export class AppModule {}

// instrumentation.ts, loaded before the application: node --import ./instrumentation.js main.js
export function instrumentation(): void {
  const { PeriodicExportingMetricReader } = metrics;
  new NodeSDK({
    serviceName: 'shop',
    traceExporter: new OTLPTraceExporter(),
    metricReaders: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })],
  }).start();
  instrumentPools();
}

const instrumented =
  // or for the pools of one application
  PoolModule.forRoot({ telemetry: otel(), pools: [orders] });

function warnOfWaits(message: unknown): void {
  const { pool, waitedMs = 0 } = message as AcquireContext;
  if (waitedMs > 100) console.warn(`waited ${waitedMs} ms for ${pool}`);
}

describe('the page about observability', () => {
  let running: RunningApp | undefined;
  afterEach(async () => {
    await running?.app.close();
    register.clear();
    forgetLoggers();
    const { unsubscribe } = await import('node:diagnostics_channel');
    unsubscribe('tracing:nestjs-pool:acquire:asyncEnd', warnOfWaits);
    jest.restoreAllMocks();
  });

  it('shows code that a test has', async () => {
    const shown = await shownOn('observability.md');
    expect(shown.length).toBeGreaterThan(0);
    expect(await codeOf(import.meta.url)).toEqual(expect.arrayContaining(shown));
  });

  it.each(['express', 'fastify'] as const)('shows a guard that lets operators in, on %s', async platform => {
    process.env.OPERATORS_BASIC_AUTH = Buffer.from('ada:sesame').toString('base64');
    running = await serve(platform, { imports: [instrumented, dashboard] });
    const ask = (authorization?: string) =>
      fetch(`${running!.url}/pools`, { headers: authorization === undefined ? {} : { authorization } });
    const stranger = await ask();
    expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="pools"']);
    expect((await ask('Basic c3RyYW5nZXI=')).status).toBe(401);
    expect((await ask(`Basic ${process.env.OPERATORS_BASIC_AUTH}`)).status).toBe(200);
  });

  it('shows a module whose metrics are scraped', async () => {
    running = await serve('express', { imports: [AppModule] });
    expect(await (await fetch(`${running.url}/metrics`)).text()).toContain(
      'nestjs_pool_limit{pool="orders"} 2',
    );
  });

  it('shows a channel that tells of waits', async () => {
    const warn = jest.spyOn(console, 'warn').mockReturnValue();
    subscribe('tracing:nestjs-pool:acquire:asyncEnd', warnOfWaits);
    running = await serve('express', { imports: [instrumented] });
    const pool = running.app.get(PoolRegistry).get('orders') as Pool<object>;
    const now = performance.now();
    const held = await Promise.all([pool.acquire(), pool.acquire()]);
    const waiting = pool.acquire();
    setTimeout(() => held[0].release(), 120);
    (await waiting).release();
    held[1].release();
    expect(performance.now() - now).toBeGreaterThan(100);
    expect(warn.mock.calls.flat()).toEqual([expect.stringMatching(/^waited \d+(\.\d+)? ms for orders$/)]);
  });
});
