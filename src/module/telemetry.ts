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
  private readonly ends: (() => void)[] = [];

  constructor(private readonly watchers: PoolTelemetry | readonly PoolTelemetry[] | undefined) {}

  made(pool: AnyPool<unknown>): void {
    for (const watcher of [this.watchers ?? []].flat()) {
      const end = watcher.watch(pool);
      if (end) this.ends.push(end);
    }
  }

  end(): void {
    for (const end of this.ends.splice(0)) end();
  }
}
