import { Controller, Get } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import { PoolHealthIndicator } from 'nestjs-pool/terminus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly pools: PoolHealthIndicator,
  ) {}

  /** Should this process be restarted? Not because of a database, and not while it shuts down. */
  @Get('live')
  live(): HealthIndicatorResult {
    return this.pools.liveness();
  }

  /** Should this process get requests? */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.pools.readiness('orders-db')]);
  }

  /** Has this process started, with its connections made? Kubernetes asks for the others from then on. */
  @Get('startup')
  @HealthCheck()
  startup(): Promise<HealthCheckResult> {
    return this.health.check([() => this.pools.startup('orders-db')]);
  }
}
