import type { ConnectionOptions, RowDataPacket } from 'mysql2';
import { connected, openCore, type Core } from './core.js';
import type { Session } from './session.js';

/** So many are under way at once, for all connections of a pool: each is a connection for a moment. */
const MOST = 2;

/** The requests to kill that are under way for one pool. */
export class Kills {
  private underWay = 0;
  private readonly queue: (() => void)[] = [];

  async run(request: () => Promise<void>): Promise<void> {
    if (this.underWay === MOST) await new Promise<void>(resolve => this.queue.push(resolve));
    else this.underWay++;
    try {
      await request();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.underWay--;
    }
  }
}

/** Of a text, what the list of sessions shows unchanged: a parameter may stand there as its value. */
const PREFIX = /^[^?]{0,40}/;

/**
 * Ends a session at the server, by a connection of its own that lasts for as long. Not only its statement: a session that
 * is gone cannot be hit by a request that comes late.
 *
 * Behind a load balancer the other connection may be one to another server, where somebody else's session has this number.
 * So it looks first whether the session with the number does what ours does. Failures are nobody's concern: the connection
 * ends in any case, its statement at the server when it is done.
 */
export async function kill(session: Session, config: ConnectionOptions, signal: AbortSignal): Promise<void> {
  const { threadId } = session.core;
  const text = session.running;
  if (signal.aborted || session.ended || !session.busy || typeof threadId !== 'number') return;
  let core: Core | undefined;
  const destroy = (): unknown => core?.stream.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    core = openCore(config);
    core.on('error', () => undefined);
    await connected(core);
    const rows = await query(
      core,
      `select info from information_schema.processlist where id = ? and user = substring_index(user(), '@', 1)
        and command <> 'Sleep'`,
      [threadId],
    );
    const info: unknown = rows[0]?.info;
    const [prefix = ''] = PREFIX.exec(text?.trimStart() ?? '') ?? [];
    if (rows.length === 0 || (typeof info === 'string' && !info.trimStart().startsWith(prefix))) return;
    await query(core, `KILL ${threadId}`);
  } catch {
    // As said above.
  } finally {
    signal.removeEventListener('abort', destroy);
    if (core && !core._closing) core.end(() => undefined);
  }
}

function query(core: Core, text: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  return new Promise((resolve, reject) => {
    core.query(text, values, (error: Error | null, rows: RowDataPacket[]) => {
      if (error) reject(error);
      else resolve(rows);
    });
  });
}
