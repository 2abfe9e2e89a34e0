import { Session, type Profiler } from 'node:inspector';

/** Array methods that V8 runs in one go, and so does not count. */
const SCANS = ['indexOf', 'includes', 'splice', 'shift', 'unshift', 'slice', 'sort'] as const;

/**
 * Counts the steps of the engine: what V8 counts for coverage, each run of each block. Unlike time, it is the same on
 * every run and every machine. Has to be made before any of the engine's code runs: what is compiled before counts its
 * calls only, and not its loops.
 */
export class StepCounter {
  private readonly session = new Session();

  constructor() {
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many steps a synchronous piece of work takes; scanning an array counts as many as the array is long. */
  count(work: () => void): number {
    const scans = new Scans();
    try {
      this.take();
      work();
      return this.take() + scans.steps;
    } finally {
      scans.stop();
    }
  }

  stop(): void {
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  /** What has been counted since the last time. */
  private take(): number {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    this.session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error;
      scripts = result;
    });
    return scripts
      .filter(script => script.url.includes('/src/engine/'))
      .flatMap(script => script.functions)
      .flatMap(one => one.ranges)
      .reduce((sum, range) => sum + range.count, 0);
  }
}

class Scans {
  steps = 0;
  private readonly originals = SCANS.map(
    name => [name, Object.getOwnPropertyDescriptor(Array.prototype, name)!] as const,
  );

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- each method below has the array for its this
    const scans = this;
    for (const [name, descriptor] of this.originals) {
      const original = descriptor.value as (...args: unknown[]) => unknown;
      const counting = function (this: unknown[], ...args: unknown[]): unknown {
        scans.steps += this.length;
        return original.apply(this, args);
      };
      Object.defineProperty(Array.prototype, name, { ...descriptor, value: counting });
    }
  }

  stop(): void {
    for (const [name, descriptor] of this.originals) Object.defineProperty(Array.prototype, name, descriptor);
  }
}
