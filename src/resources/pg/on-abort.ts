/** Those who wait for the same signal have one listener there: Node.js warns of a leak when there are eleven. */
const together = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly tell: () => void }>();

/**
 * Calls when a signal is aborted that is not yet. Not by `AbortSignal.any()`: in Node.js 20 and 22, a signal that lives
 * long keeps all that was made of it.
 *
 * @returns does not call any more, and leaves nothing with the signal
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let those = together.get(signal);
  if (!those) {
    const all = new Set<() => void>();
    those = {
      all,
      tell: () => {
        for (const one of [...all]) one();
      },
    };
    together.set(signal, those);
    signal.addEventListener('abort', those.tell);
  }
  const { all, tell } = those;
  all.add(call);
  return () => {
    if (!all.delete(call) || all.size > 0) return;
    together.delete(signal);
    signal.removeEventListener('abort', tell);
  };
}
