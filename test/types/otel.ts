// What the compiler must accept and refuse of OpenTelemetry. Checked by `npm run typecheck`, never run.
import { metrics } from '@opentelemetry/api';
import { KeyedPool, Pool, PoolModule } from '../../src/index.js';
import { instrumentPools, otel } from '../../src/otel/index.js';
import { pgPool } from '../../src/pg/index.js';

PoolModule.forRoot({ telemetry: otel() });
PoolModule.forRoot({ telemetry: [otel({ semconv: 'dup', traces: false, histograms: false })] });

const pools = [
  new Pool(pgPool({})),
  new Pool({ create: () => 1 }),
  new KeyedPool({ maxTotal: 5, create: ({ key }: { key: string }) => ({ key }) }),
];
export const stop: () => void = instrumentPools(metrics.getMeterProvider(), { pools });
instrumentPools();
instrumentPools(undefined, { pools: [pools[0]!] });

// @ts-expect-error -- no such conventions
otel({ semconv: '1.20' });
// @ts-expect-error -- not a pool
otel({ pools: [{}] });
