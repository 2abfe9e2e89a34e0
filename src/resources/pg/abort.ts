import type { Client } from 'pg';
import { PoolOptionsError } from '../../engine/index.js';
import { borrowOf, type Borrow } from './handle.js';
import { onAbort } from './on-abort.js';

/** Ends {@link cancelOnAbort} before the lease ends. */
export interface CancelOnAbort extends Disposable {
  /** The signal is not listened to any more. */
  readonly stop: () => void;
}

/**
 * Cancels at the server what runs on a borrowed client when a signal is aborted. The query fails with 57014 of the server,
 * those that wait for their turn fail with the reason of the signal, and the client can be used further, for a ROLLBACK for
 * example: what is sent next waits until the request to cancel cannot hit it any more. Over with the lease, or with `stop()`.
 *
 * ```ts
 * await pool.use(async (client, lease) => {
 *   cancelOnAbort(client, request.signal);
 *   cancelOnAbort(client, lease.signal);
 *   return client.query('select … for a long time');
 * });
 * ```
 *
 * A signal that is aborted already aborts what runs now, and nothing that is sent later: ask it before.
 *
 * @param client as it was borrowed of a pool of `pgPool` or `keyedPgPool`
 * @throws PoolOptionsError when it was not, or when the signal is none
 */
export function cancelOnAbort(client: Client, signal: AbortSignal): CancelOnAbort {
  const borrow = borrowOf(client);
  if (!borrow) {
    throw new PoolOptionsError(
      'pool',
      'cancelOnAbort() needs a client that was borrowed of a pool of pgPool().',
    );
  }
  if (!(signal as Partial<AbortSignal> | undefined)?.addEventListener) {
    throw new PoolOptionsError('pool', 'cancelOnAbort() needs an AbortSignal.');
  }
  const stop = listen(borrow, signal);
  return { stop, [Symbol.dispose]: stop };
}

function listen(borrow: Borrow, signal: AbortSignal): () => void {
  // Over already: it must not do anything to the next borrower.
  if (borrow.why) return () => undefined;
  const interrupt = (): void => {
    borrow.session.interrupt(() => signal.reason as Error);
  };
  if (signal.aborted) {
    interrupt();
    return () => undefined;
  }
  const forget = onAbort(signal, () => {
    stop();
    interrupt();
  });
  const stop = (): void => {
    forget();
    borrow.whenOver?.delete(stop);
  };
  (borrow.whenOver ??= new Set()).add(stop);
  return stop;
}
