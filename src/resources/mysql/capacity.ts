import type { Capacity } from '../../engine/index.js';
import type { Session } from './session.js';

/** The limit of an account is that of the server unless it has one of its own; 0 is none. */
const LIMITS = `select connection_id() as id, @@global.max_connections as server, @@session.max_user_connections as account`;

/**
 * How many connections the server admits of this account.
 *
 * @returns undefined behind a proxy that pools, such as ProxySQL: its limits are others, and it does not tell them
 */
export async function capacityOf(session: Session): Promise<Capacity | undefined> {
  const [row] = (await session.run(LIMITS)) as Record<'id' | 'server' | 'account', unknown>[];
  if (!row || Number(row.id) !== session.core.threadId) return undefined;
  const server = { limit: Number(row.server), name: 'max_connections' };
  const account = { limit: Number(row.account), name: 'max_user_connections' };
  return account.limit > 0 && account.limit < server.limit ? account : server;
}
