import { Get, Header, Inject, Res, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { PoolRegistry } from '../module/registry.js';
import { PoolHealthIndicator } from './pool-health.indicator.js';
import {
  HEALTH_OPTIONS,
  chosenNames,
  ownOptions,
  type PoolHealthModuleOptions,
} from './pool-health.options.js';

/** As Terminus answers, so that whoever reads one can read the other. */
export interface HealthAnswer {
  status: 'ok' | 'degraded' | 'error';
  info: HealthIndicatorResult;
  error: HealthIndicatorResult;
  details: HealthIndicatorResult;
}

const NEVER_CACHED = 'no-cache, no-store, must-revalidate';

/**
 * The routes of `PoolHealthModule`; a guard may know them by this class: `context.getClass().prototype instanceof
 * PoolHealthController`. They answer themselves, and throw nothing: a catch-all filter must not be able to turn a probe
 * into something else, nor a failing one fill the log.
 */
export abstract class PoolHealthController implements OnModuleInit {
  constructor(
    @Inject(PoolHealthIndicator) private readonly pools: PoolHealthIndicator,
    @Inject(PoolRegistry) private readonly registry: PoolRegistry,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(HEALTH_OPTIONS) private readonly options: PoolHealthModuleOptions,
  ) {}

  /** @throws UnknownPoolError */
  onModuleInit(): void {
    for (const name of this.names) this.registry.require(name);
  }

  /** Should this process be restarted? Not because of a backend, and not while it shuts down. */
  @Get('live')
  @Header('Cache-Control', NEVER_CACHED)
  live(): HealthAnswer {
    return answerOf(this.pools.liveness());
  }

  /** Should this process get requests? */
  @Get('ready')
  @Header('Cache-Control', NEVER_CACHED)
  async ready(@Res({ passthrough: true }) response: unknown): Promise<HealthAnswer> {
    const own = ownOptions(this.options.pools);
    const results = await Promise.all(
      this.names.map(name => this.pools.readinessOf(name, own[name] ?? this.options.readiness ?? {})),
    );
    if (this.registry.shuttingDown && results.length === 0) {
      results.push({ application: { status: 'down', reason: 'the application is shutting down' } });
    }
    return this.send(response, Object.assign({}, ...results) as HealthIndicatorResult);
  }

  /** Has this process started? */
  @Get('startup')
  @Header('Cache-Control', NEVER_CACHED)
  startup(@Res({ passthrough: true }) response: unknown): HealthAnswer {
    const results = this.names.map(name => this.pools.startupOf(name));
    return this.send(response, Object.assign({}, ...results) as HealthIndicatorResult);
  }

  private get names(): readonly string[] {
    return chosenNames(this.options.pools) ?? this.registry.names();
  }

  private send(response: unknown, details: HealthIndicatorResult): HealthAnswer {
    const answer = answerOf(details);
    if (answer.status === 'error') this.adapterHost.httpAdapter.status(response, 503);
    return answer;
  }
}

function answerOf(details: HealthIndicatorResult): HealthAnswer {
  const info: HealthIndicatorResult = {};
  const error: HealthIndicatorResult = {};
  let degraded = false;
  for (const [name, result] of Object.entries(details)) {
    if (result.status === 'down') error[name] = result;
    else info[name] = result;
    // Terminus 11 has no status of that name, and its types none either.
    degraded ||= (result.status as string) === 'degraded';
  }
  const status = Object.keys(error).length > 0 ? 'error' : degraded ? 'degraded' : 'ok';
  return { status, info, error, details };
}
