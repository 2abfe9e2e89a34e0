const PAUSE = 5;

/**
 * Waits for a condition of the outside world (a socket, a server's table) that tells no event. Looks again and again,
 * and fails with what it saw last.
 *
 * @param within milliseconds; those in which this process could not run do not count
 */
export async function until<V>(
  look: () => V | Promise<V>,
  good: (seen: V) => boolean,
  within = 20_000,
): Promise<V> {
  let end = performance.now() + within;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    const now = performance.now();
    if (now > end) throw new Error(`still ${JSON.stringify(seen)} after ${within} ms`);
    await new Promise(resolve => setTimeout(resolve, PAUSE));
    end += Math.max(0, performance.now() - now - PAUSE);
  }
}
