import type { QueryResult } from 'pg';
import type { Capacity } from '../../engine/index.js';
import type { Session } from './session.js';

/**
 * What limits the connections of this session's role to its database. `reserved_connections` exists from PostgreSQL 16 on,
 * and the role that may use them, too.
 */
const LIMITS = `select pg_backend_pid() as pid, r.rolsuper::int as super,
  current_setting('max_connections')::int as server,
  current_setting('superuser_reserved_connections')::int as "forSuperusers",
  coalesce(current_setting('reserved_connections', true), '0')::int as "forPrivileged",
  exists (select from pg_catalog.pg_roles p where p.rolname = 'pg_use_reserved_connections'
    and pg_catalog.pg_has_role(r.oid, p.oid, 'usage'))::int as privileged,
  r.rolconnlimit as role, d.datconnlimit as database
  from pg_catalog.pg_roles r, pg_catalog.pg_database d
  where r.rolname = session_user and d.datname = pg_catalog.current_database()`;

type Limits = Record<
  'pid' | 'super' | 'server' | 'forSuperusers' | 'forPrivileged' | 'privileged' | 'role' | 'database',
  unknown
>;

/**
 * How many connections the server admits of this role to this database. The limits of a role and of a database do not
 * hold for superusers, who may also use what is reserved.
 *
 * @returns undefined behind a proxy that pools, such as PgBouncer: its limits are others, and it does not tell them
 */
export async function capacityOf(session: Session): Promise<Capacity | undefined> {
  const { rows } = (await session.run(LIMITS)) as QueryResult<Limits>;
  const [row] = rows;
  const { processID } = session.client as { processID?: unknown };
  if (!row || Number(row.pid) !== processID) return undefined;
  const server = { limit: Number(row.server), name: 'max_connections' };
  if (Number(row.super) === 1) return { ...server, reserved: 0 };
  const forPrivileged = Number(row.privileged) === 1 ? 0 : Number(row.forPrivileged);
  const capacities: Capacity[] = [
    { ...server, reserved: Number(row.forSuperusers) + forPrivileged },
    { limit: Number(row.role), name: 'CONNECTION LIMIT of the role' },
    { limit: Number(row.database), name: 'CONNECTION LIMIT of the database' },
  ];
  const room = ({ limit, reserved = 0 }: Capacity): number => limit - reserved;
  // -1 is none.
  return capacities.filter(({ limit }) => limit >= 0).reduce((a, b) => (room(b) < room(a) ? b : a));
}
