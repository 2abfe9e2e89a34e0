/** @throws TypeError when it is nothing that lends: what was not injected, the options of a pool, a promise of one */
export function checkPool(pool: unknown, who: string): void {
  if (typeof (pool as { acquire?: unknown } | null | undefined)?.acquire === 'function') return;
  throw new TypeError(`${who} needs a pool, such as new Pool(…) of its options, as its first argument.`);
}
