/**
 * Bytes for each request by which the heap may be larger after the last rounds than after the second. A request, or a
 * scope, that is left behind has thousands, as each holds on to its request and response.
 */
const TOLERANCE = 50;
/** And what a process goes on learning, however many requests there were: compiled code, inline caches, buffers. */
const SLACK = 1.5 * 2 ** 20;

/** What is in use when everything that nobody needs has been collected. Needs `node --expose-gc`. */
export async function heapUsed(): Promise<number> {
  const { gc } = globalThis;
  if (!gc) throw new Error('The storm needs node --expose-gc');
  let used = Infinity;
  // What a collection sets free may free more: until it has nothing left to collect.
  for (;;) {
    await new Promise(resolve => setImmediate(resolve));
    gc();
    const now = process.memoryUsage().heapUsed;
    if (now > used * 0.999) return Math.min(now, used);
    used = now;
  }
}

/** The first round warms up: code is compiled, buffers and caches are filled. From then on the heap must not grow. */
export function checkHeap(heaps: readonly number[], requests: number): string[] {
  const [, first, ...later] = heaps;
  if (first === undefined || later.length === 0) return [];
  const last = median(later);
  const rounds = (later.length + 1) / 2;
  const allowed = SLACK + TOLERANCE * requests * rounds;
  if (last - first <= allowed) return [];
  return [
    `the heap grows: ${mb(first)} after the second round, ${mb(last)} in the median of those after it; ` +
      `${mb(allowed)} more would do. All rounds: ${heaps.map(mb).join(', ')}`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MB`;
