type Write = (error: Error, sites: NodeJS.CallSite[]) => unknown;

/**
 * Reads the stack that was captured on `trace`, which can be done once. Whoever else prepares stacks, as those do who know the
 * sources, goes on doing so afterwards.
 *
 * @param read gets the frames as the engine knows them, and what would have written them down, if anybody had
 */
export function readCallSites<T>(
  trace: { stack?: unknown },
  read: (sites: NodeJS.CallSite[], write: ((sites: NodeJS.CallSite[]) => unknown) | undefined) => T,
): T {
  const original = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  const write: unknown = original?.value;
  Error.prepareStackTrace = (error, sites): T =>
    read(
      sites,
      typeof write === 'function' ? sites => (write as Write).call(Error, error, sites) : undefined,
    );
  try {
    return trace.stack as T;
  } finally {
    if (original) Object.defineProperty(Error, 'prepareStackTrace', original);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}
