import {
  SpanKind,
  SpanStatusCode,
  trace,
  type Span,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { PoolError, describeStats, kindOf } from '../engine/index.js';
import type { WaitedEvent } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import { spanAttributes } from './attributes.js';
import { ATTRIBUTES, SCOPE } from './names.js';

/** Who makes the spans of a pool for a provider: the first that asks, so that two who look at it make one span. */
const makers = new WeakMap<TracerProvider, WeakMap<object, object>>();

/**
 * A span for each acquire of a pool that had to wait or has failed, a child of the span that was active where it was called.
 * Nothing is made of one that found something idle.
 *
 * @param given undefined for the global one, as it is at the time
 * @returns ends it
 */
export function traceWaits(pool: AnyPool<unknown>, given: TracerProvider | undefined): () => void {
  const self: object = pool.self;
  const me = {};
  const end = pool.addListener({
    onWaited(event) {
      const provider = realOf(given ?? trace.getTracerProvider());
      if (makerOf(provider, self, me) !== me) return;
      const tracer = provider.getTracer(SCOPE);
      const ended = Date.now();
      // The pool has a clock of its own, of which only durations mean something to others.
      const startTime = ended - event.waitedMs;
      const attributes = {
        ...spanAttributes(pool, event.target),
        [ATTRIBUTES.waited]: event.waitedMs,
        [ATTRIBUTES.priority]: event.priority,
        [ATTRIBUTES.outcome]: event.slot === undefined ? 'failed' : 'acquired',
      };
      const span = start(tracer, pool.name, { kind: SpanKind.INTERNAL, startTime, attributes });
      if (event.slot === undefined) fail(span, event, ended);
      span.end(ended);
    },
  });
  return () => {
    end();
    const provider = realOf(given ?? trace.getTracerProvider());
    if (makers.get(provider)?.get(self) === me) makers.get(provider)?.delete(self);
  };
}

function start(tracer: Tracer, pool: string, options: Parameters<Tracer['startSpan']>[1]): Span {
  return tracer.startSpan(`nestjs-pool.acquire ${pool}`, options);
}

/** The global provider is one that passes on: whoever names the provider behind it means the same. */
function realOf(provider: TracerProvider): TracerProvider {
  const { getDelegate } = provider as { getDelegate?: () => TracerProvider };
  return typeof getDelegate === 'function' ? getDelegate.call(provider) : provider;
}

function makerOf(provider: TracerProvider, pool: object, me: object): object {
  const pools = makers.get(provider) ?? new WeakMap<object, object>();
  makers.set(provider, pools);
  const maker = pools.get(pool) ?? me;
  pools.set(pool, maker);
  return maker;
}

function fail(span: Span, { error }: WaitedEvent, at: number): void {
  const { type, name, message } = shown(error);
  span.setAttribute(ATTRIBUTES.error, type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
  span.recordException({ name, ...(message !== undefined && { message }) }, at);
}

/**
 * What may be shown of an error. Not its message: that of a pool may end in the words of a create error, with hosts and
 * what else a driver says, and has the names of owners and keys; that of others can have anything in it. The counts say
 * what has happened.
 */
function shown(error: unknown): { type: string; name: string; message?: string } {
  if (error instanceof PoolError) {
    const { code, name, stats } = error;
    return { type: code, name, ...(stats && { message: `${code}: ${describeStats(stats)}` }) };
  }
  const [name = 'Error', code] = kindOf(error).split(' ');
  return { type: code ?? name, name };
}
