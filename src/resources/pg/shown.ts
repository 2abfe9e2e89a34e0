import type { ClientConfig } from 'pg';
import pg from 'pg';
import type { ResourceTarget } from '../../engine/index.js';
import { address, isDoubtful } from '../common/target.js';
import type { Targets } from './hosts.js';

/** What OpenTelemetry calls it. */
export const SYSTEM = 'postgresql';

/** Where connections go to, without anything that is a secret. */
export interface Shown {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly application_name: string | undefined;
}

/** A factory of connections that can tell where they go to. */
export interface ShowsConnections {
  readonly shown: () => Shown;
}

/** What pg makes of a configuration, its environment and a connection string. */
export function shownIn(config: ClientConfig | undefined): Shown {
  // Never connected, and nobody is asked for a socket.
  const { stream: _stream, ssl: _ssl, ...others } = config ?? {};
  const client = new pg.Client(others);
  const { host, port, database, user, connectionParameters } = client as unknown as Shown & {
    connectionParameters: { application_name?: string; fallback_application_name?: string };
  };
  const { application_name, fallback_application_name } = connectionParameters;
  return { host, port, database, user, application_name: application_name ?? fallback_application_name };
}

/** Where all connections of a pool go to: of several hosts, what they have in common. */
export function targetOf({ hosts }: Targets): ResourceTarget {
  const config = hosts[0]?.config;
  if (isDoubtful(config?.connectionString)) return { system: SYSTEM };
  const { host, port, database } = shownIn(config);
  return { system: SYSTEM, namespace: database, ...(hosts.length === 1 && address(host, port)) };
}
