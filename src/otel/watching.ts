import type { AnyPool } from '../scope/index.js';
import { LateMeters } from './late-meters.js';
import type { OtelOptions } from './options.js';
import { traceWaits } from './spans.js';

/** Looks at pools in the way that somebody has chosen. */
export class Watching {
  private readonly meters: LateMeters;
  private readonly traces: boolean;

  constructor(private readonly options: OtelOptions) {
    const { meterProvider, semconv, histograms = true, traces = true } = options;
    this.meters = new LateMeters(meterProvider, semconv === 'dup', histograms);
    this.traces = traces;
  }

  /** @returns ends it */
  watch(pool: AnyPool<unknown>): () => void {
    const measured = this.meters.watch(pool);
    const traced = this.traces ? traceWaits(pool, this.options.tracerProvider) : undefined;
    return () => {
      measured();
      traced?.();
    };
  }
}
