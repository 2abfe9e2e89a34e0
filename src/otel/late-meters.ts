import { createNoopMeter, metrics, type MeterProvider } from '@opentelemetry/api';
import type { AnyPool } from '../scope/index.js';
import { Meters } from './meters.js';
import { SCOPE } from './names.js';
import { WeakPools } from './weak-pools.js';

/** How often it is looked whether there is a provider now, milliseconds. */
const LOOK = 1_000;

/**
 * Measures by a provider that may not be there yet: an application may register it after its pools, and `metrics` has nothing
 * that would take what is asked for until then, as `trace` does.
 */
export class LateMeters {
  private readonly given: Meters | undefined;
  /** Pools that nobody measures yet, and what begins it. */
  private readonly waiting = new WeakPools<(meters: Meters) => void>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    given: MeterProvider | undefined,
    private readonly dup: boolean,
    private readonly histograms: boolean,
  ) {
    this.given = given && Meters.of(given, dup);
  }

  /** @returns ends it */
  watch(pool: AnyPool<unknown>): () => void {
    const meters = this.look();
    return meters ? meters.add(pool, this.histograms) : this.later(pool);
  }

  private later(pool: AnyPool<unknown>): () => void {
    // Its first create is what happens first in a pool, and listening to it costs no borrow anything.
    const unlisten = pool.addListener({
      onCreate: event => {
        this.look()?.created(pool, event);
      },
    });
    let end = (): void => {
      unlisten();
      this.waiting.delete(pool);
    };
    this.waiting.set(pool, meters => {
      unlisten();
      end = meters.add(pool, this.histograms);
    });
    // Pools that have been filled may be idle for long.
    this.timer ??= setInterval(() => {
      this.look();
    }, LOOK).unref();
    return () => {
      end();
    };
  }

  /** The meters of the provider that there is now, if there is one: then for all that have waited for it. */
  private look(): Meters | undefined {
    // A test, or who loads code anew, may have registered another one since.
    const meters = this.given ?? this.ofGlobal();
    if (meters) for (const [, measure] of this.waiting.take()) measure(meters);
    if (this.waiting.open().length === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    return meters;
  }

  private ofGlobal(): Meters | undefined {
    const provider = metrics.getMeterProvider();
    const real = Meters.knows(provider) || provider.getMeter(SCOPE) !== createNoopMeter();
    return real ? Meters.of(provider, this.dup) : undefined;
  }
}
