import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { PoolDashboardModule } from 'nestjs-pool/dashboard';
import { PoolMetricsModule } from 'nestjs-pool/prometheus';
import { PoolHealthIndicator } from 'nestjs-pool/terminus';
import { HealthController } from './health.controller.js';
import { HttpDrain } from './http-drain.js';
import { PoolsController } from './pools.controller.js';

@Module({
  // After a SIGTERM readiness is down for as long, and everything else still served: time for a load balancer to see
  // it. Where probes come every ten seconds, wait for two of them.
  imports: [
    TerminusModule.forRoot({ gracefulShutdownTimeoutMs: 2_000 }),
    // Serves /metrics, with what Node tells of itself; the pool's are among them. See ../../../observability.
    PrometheusModule.register(),
    PoolMetricsModule.forRoot({ histograms: { use: true } }),
    // Open to everybody, as this is an example on your own machine. Give yours a `guard`: it tells who borrows what.
    PoolDashboardModule.forRoot({ path: 'ops/pools', open: true, title: 'Pools of the shop' }),
  ],
  controllers: [HealthController, PoolsController],
  providers: [PoolHealthIndicator, HttpDrain],
})
export class OpsModule {}
