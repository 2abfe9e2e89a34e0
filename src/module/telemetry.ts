import { Logger } from '@nestjs/common';
import { messageOf } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';

/** What looks at every pool of an application, such as `otel()` of `nestjs-pool/otel`. */
export interface PoolTelemetry {
  /**
   * Told of each pool when it has been made, before anything is borrowed. What it throws keeps the application from starting.
   *
   * @returns ends it; called when the pools of the application are closed
   */
  watch(pool: AnyPool<unknown>): (() => void) | undefined;
}

/** @throws TypeError when it is none */
export function checkTelemetry(given: unknown): void {
  if (given === undefined) return;
  const all: readonly unknown[] = Array.isArray(given) ? given : [given];
  const wrong = all.some(each => typeof (each as Partial<PoolTelemetry> | null)?.watch !== 'function');
  if (!wrong) return;
  throw new TypeError(
    'PoolModule: telemetry is not what it must be: an object with a watch() function, such as otel(), or an array of them.',
  );
}

/** Those who look at the pools of one application. */
export class Telemetry {
  private readonly watchers: PoolTelemetry[];
  private readonly ends: (() => void)[] = [];

  constructor(given: PoolTelemetry | readonly PoolTelemetry[] | undefined) {
    this.watchers = [given ?? []].flat();
  }

  /** @throws Error when one of them cannot look at it: then none does, and the pool is closed */
  made(pool: AnyPool<unknown>): void {
    const before = this.ends.length;
    try {
      for (const watcher of this.watchers) this.tell(watcher, pool);
    } catch (error) {
      endAll(this.ends.splice(before));
      void pool.close();
      throw error;
    }
  }

  /** One more, of another module: it is told of the pools that there are, and of those to come. */
  join(watcher: PoolTelemetry, pools: readonly AnyPool<unknown>[]): void {
    this.watchers.push(watcher);
    for (const pool of pools) this.tell(watcher, pool);
  }

  end(): void {
    endAll(this.ends.splice(0));
  }

  private tell(watcher: PoolTelemetry, pool: AnyPool<unknown>): void {
    const end: unknown = attempt(watcher, pool);
    if (typeof end === 'function') this.ends.push(end as () => void);
    else if (end !== undefined) {
      throw new TypeError(
        `PoolModule: telemetry is not what it must be: for pool "${pool.name}" its watch() gave ${typeof end === 'object' ? 'an object' : `a ${typeof end}`}; it ` +
          'must give a function that ends it, or nothing, and no promise.',
      );
    }
  }
}

function attempt(watcher: PoolTelemetry, pool: AnyPool<unknown>): unknown {
  try {
    return watcher.watch(pool);
  } catch (error) {
    throw new Error(`PoolModule: telemetry cannot watch pool "${pool.name}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The pools are closed, and the application ends: one that fails keeps neither from it, nor the others. */
function endAll(ends: readonly (() => void)[]): void {
  for (const end of ends) {
    try {
      end();
    } catch (error) {
      new Logger('PoolModule').warn(`Telemetry of a pool could not be ended: ${messageOf(error)}`);
    }
  }
}
