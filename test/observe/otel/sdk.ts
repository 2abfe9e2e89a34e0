import { context, metrics, trace, type Attributes } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  MeterProvider,
  MetricReader,
  type DataPoint,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';

class ManualReader extends MetricReader {
  protected override onShutdown = (): Promise<void> => Promise.resolve();
  protected override onForceFlush = (): Promise<void> => Promise.resolve();
}

export type Value = number | Histogram;

/** A provider of the SDK, and what is collected from it. */
export class Metrics {
  private readonly reader: ManualReader;
  readonly provider: MeterProvider;

  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    this.reader = new ManualReader({ aggregationTemporalitySelector: () => temporality });
    this.provider = new MeterProvider({ readers: [this.reader] });
  }

  async collect(): Promise<Collected> {
    const { resourceMetrics, errors } = await this.reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    return new Collected(resourceMetrics.scopeMetrics.flatMap(scope => scope.metrics));
  }
}

/** What one collection has brought. */
export class Collected {
  constructor(readonly metrics: readonly MetricData[]) {}

  /** Of all metrics. */
  get all(): DataPoint<Value>[] {
    return this.metrics.flatMap(({ dataPoints }) => dataPoints as DataPoint<Value>[]);
  }

  get names(): string[] {
    return this.metrics.map(({ descriptor }) => descriptor.name).sort();
  }

  get(name: string): MetricData | undefined {
    return this.metrics.find(({ descriptor }) => descriptor.name === name);
  }

  points(name: string): DataPoint<Value>[] {
    return (this.get(name)?.dataPoints ?? []) as DataPoint<Value>[];
  }

  /** The values of the series that have these attributes, among others. */
  values(name: string, attributes: Attributes = {}): Value[] {
    return this.points(name)
      .filter(point => Object.entries(attributes).every(([key, value]) => point.attributes[key] === value))
      .map(({ value }) => value);
  }

  /** By the value of one attribute. */
  by(label: string, name: string): Record<string, Value> {
    return Object.fromEntries(
      this.points(name).map(({ attributes, value }) => [String(attributes[label]), value]),
    );
  }
}

/** A provider of the SDK, and the spans that have ended. */
export class Traces {
  private readonly exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] });

  get spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(start: string): ReadableSpan[] {
    return this.spans.filter(({ name }) => name.startsWith(start));
  }

  get acquires(): ReadableSpan[] {
    return this.named('nestjs-pool.acquire');
  }

  /** Does something as a part of a span, such as that of a request. */
  async within<R>(name: string, work: () => Promise<R>): Promise<R> {
    return this.provider.getTracer('test').startActiveSpan(name, async span => {
      try {
        return await work();
      } finally {
        span.end();
      }
    });
  }
}

/** The context goes with promises, as in an application that has the SDK. */
export function useContexts(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}

export function forgetGlobals(): void {
  metrics.disable();
  trace.disable();
  context.disable();
}
