import type { ConnectionOptions } from 'mysql2';
import type { CreateContext } from '../../engine/index.js';
import { startTimer } from '../../engine/time/timer.js';
import { closed, connected, openCore, type Client } from './core.js';
import { kill, type Kills } from './kill.js';
import { Session, type SessionReset } from './session.js';

/**
 * Connects, and does with the session what is to be done `first`. An abort destroys the socket, at whatever stage, and
 * rejects with the reason of the signal; any other failure leaves nothing open either.
 */
export async function openSession(
  config: ConnectionOptions,
  mode: SessionReset,
  { signal, invalidate }: CreateContext,
  first: (session: Session) => Promise<void>,
): Promise<Session> {
  signal.throwIfAborted();
  const core = openCore(config);
  // Without a listener an `error` event would end the process.
  core.on('error', () => undefined);
  // Looked up late: with TLS it is another one after the first handshake.
  const destroy = (): unknown => core.stream.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await connected(core);
    const session = new Session(core.promise() as Client, core, mode, invalidate);
    await session.begin();
    await first(session);
    signal.throwIfAborted();
    return session;
  } catch (error) {
    destroy();
    await closed(core);
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}

/**
 * Ends a session, and resolves when the server has closed its end. A statement that is still running is killed first,
 * together with its session, since a server does not notice that its client has left before the statement ends.
 *
 * @param patience milliseconds after which the socket is destroyed, whatever the server does
 */
export async function endSession(
  session: Session,
  patience: number,
  kills: Kills,
  config: ConnectionOptions,
): Promise<void> {
  if (session.ended) return;
  const { core } = session;
  const given = new AbortController();
  const timer = startTimer(() => {
    given.abort();
    core.stream.destroy();
  }, patience);
  // The socket holds the process until then.
  timer.unref();
  session.abandon(() => new Error('the pool has ended the connection'));
  try {
    if (session.busy)
      await Promise.race([kills.run(() => kill(session, config, given.signal)), session.closed()]);
    if (!core.stream.closed && !core._closing) core.end(() => undefined);
    await session.closed();
  } finally {
    timer.cancel();
    given.abort();
  }
}
