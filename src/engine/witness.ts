import { nameOf } from './basics/name-of.js';
import type { Lease } from './lease.js';
import type { AcquireOptions } from './options/calls.js';
import { askedBy } from './reports/asked.js';
import { acquires, type AcquireContext, type Title } from './reports/channels.js';
import type { PoolListener } from './reports/listener.js';
import type { ResourceTarget } from './reports/target.js';
import type { Clock } from './time/clock.js';

/** Tells those who watch how acquires end: listeners of those that took their time or failed, the tracing channel of all. */
export class Witness {
  constructor(
    private readonly title: Title,
    /** What the pool calls itself; that of a key has the key in it. */
    private readonly name: string,
    /** What its listeners make of it, if any does; others may listen later. */
    private readonly watch: Pick<PoolListener, 'onWaited'> | { readonly onWaited: undefined },
    private readonly clock: Clock,
    private readonly target: () => ResourceTarget | undefined,
  ) {}

  /** An acquire that found nothing idle that could be lent at once, or has failed. */
  watched<T>(lease: Promise<Lease<T>>, options: AcquireOptions | undefined): Promise<Lease<T>> {
    if (!this.watch.onWaited) return lease;
    const since = this.clock.now();
    return lease.then(
      lent => {
        // One that was only prepared has not waited for anybody.
        if (lent.waitedMs > 0) this.tell(options, this.clock.now() - since, lent.slot, undefined);
        return lent;
      },
      (error: unknown) => {
        this.tell(options, this.clock.now() - since, undefined, error);
        throw error;
      },
    );
  }

  /** An acquire, while somebody traces them. */
  traced<T>(options: AcquireOptions | undefined, acquire: () => Promise<Lease<T>>): Promise<Lease<T>> {
    const context = this.contextOf(options);
    const since = this.clock.now();
    const noted = async (): Promise<Lease<T>> => {
      try {
        return notingLease(context, await acquire());
      } catch (error) {
        context.waitedMs = this.clock.now() - since;
        throw error;
      }
    };
    return acquires.tracePromise(noted, context);
  }

  /** Likewise, one without a promise. */
  tracedNow<T>(
    options: AcquireOptions | undefined,
    acquire: () => Lease<T> | undefined,
  ): Lease<T> | undefined {
    const context = this.contextOf(options);
    return acquires.traceSync(() => notingLease(context, acquire()), context);
  }

  /** An acquire that has not come as far as its pool. */
  refused(error: unknown, options: AcquireOptions | undefined): Promise<never> {
    this.tell(options, 0, undefined, error);
    const refusal = (): Promise<never> => Promise.reject(error);
    return acquires.hasSubscribers ? acquires.tracePromise(refusal, this.refusedContext(options)) : refusal();
  }

  /** Likewise, one without a promise: only who traces is told of those. */
  refusedNow(error: unknown, options: AcquireOptions | undefined): never {
    const refusal = (): never => {
      throw error;
    };
    return acquires.hasSubscribers ? acquires.traceSync(refusal, this.refusedContext(options)) : refusal();
  }

  private tell(
    options: AcquireOptions | undefined,
    waitedMs: number,
    slot: number | undefined,
    error: unknown,
  ): void {
    if (!this.watch.onWaited) return;
    const { priority, owner } = askedBy(options);
    this.watch.onWaited({
      ...{ pool: this.name, at: this.clock.now(), waitedMs, slot, error, priority },
      owner: owner && nameOf(owner),
      target: this.target(),
    });
  }

  private contextOf(options: AcquireOptions | undefined): AcquireContext {
    const { pool, key } = this.title;
    return { pool, key, ...askedBy(options) };
  }

  private refusedContext(options: AcquireOptions | undefined): AcquireContext {
    return { ...this.contextOf(options), waitedMs: 0 };
  }
}

/** Notes what an acquire has come to. */
function notingLease<L extends Lease<unknown> | undefined>(context: AcquireContext, lease: L): L {
  context.waitedMs = lease?.waitedMs ?? 0;
  if (lease) context.slot = lease.slot;
  return lease;
}
