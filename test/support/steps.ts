import { Session, type Profiler } from 'node:inspector';

/**
 * How many steps of the engine a synchronous piece of work takes: what V8 counts for coverage, each run of each block.
 * Unlike time, it is the same on every run and every machine. Array methods that scan count as many steps as the array
 * is long.
 */
export function stepsOf(work: () => void): number {
  const session = new Session();
  session.connect();
  const scans = countScans();
  try {
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    // Forgets what has been counted so far.
    session.post('Profiler.takePreciseCoverage');
    work();
    let counted: Profiler.ScriptCoverage[] = [];
    session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error;
      counted = result;
    });
    return countOf(counted) + scans.steps;
  } finally {
    scans.stop();
    session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
  }
}

function countOf(scripts: readonly Profiler.ScriptCoverage[]): number {
  return scripts
    .filter(script => script.url.includes('/src/engine/'))
    .flatMap(script => script.functions)
    .flatMap(one => one.ranges)
    .reduce((sum, range) => sum + range.count, 0);
}

const SCANS = ['indexOf', 'includes', 'splice', 'shift', 'unshift', 'slice', 'sort'] as const;

/** Scans that V8 does in one go, and so does not count. */
function countScans(): { readonly steps: number; stop(): void } {
  const originals = SCANS.map(
    name => [name, Object.getOwnPropertyDescriptor(Array.prototype, name)!] as const,
  );
  let steps = 0;
  for (const [name, { value }] of originals) {
    const original = value as (...args: unknown[]) => unknown;
    Object.defineProperty(Array.prototype, name, {
      configurable: true,
      writable: true,
      value: function (this: unknown[], ...args: unknown[]): unknown {
        steps += this.length;
        return original.apply(this, args);
      },
    });
  }
  return {
    get steps() {
      return steps;
    },
    stop: () => {
      for (const [name, descriptor] of originals) Object.defineProperty(Array.prototype, name, descriptor);
    },
  };
}
