/**
 * Waits for a condition of the outside world (a socket, a server's table) that tells no event. Looks again and again,
 * and fails with what it saw last.
 */
export async function until<V>(
  look: () => V | Promise<V>,
  good: (seen: V) => boolean,
  within = 10_000,
): Promise<V> {
  const end = performance.now() + within;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (performance.now() > end) throw new Error(`still ${JSON.stringify(seen)} after ${within} ms`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
