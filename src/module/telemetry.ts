import type { AnyPool } from '../scope/index.js';

/** What looks at every pool of an application, such as `otel()` of `nestjs-pool/otel`. */
export interface PoolTelemetry {
  /**
   * Told of each pool when it has been made, before anything is borrowed.
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

  made(pool: AnyPool<unknown>): void {
    for (const watcher of this.watchers) this.tell(watcher, pool);
  }

  /** One more, of another module: it is told of the pools that there are, and of those to come. */
  join(watcher: PoolTelemetry, pools: readonly AnyPool<unknown>[]): void {
    this.watchers.push(watcher);
    for (const pool of pools) this.tell(watcher, pool);
  }

  end(): void {
    for (const end of this.ends.splice(0)) end();
  }

  private tell(watcher: PoolTelemetry, pool: AnyPool<unknown>): void {
    const end = watcher.watch(pool);
    if (end) this.ends.push(end);
  }
}
