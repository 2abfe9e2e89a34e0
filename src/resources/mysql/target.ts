import mysql, { type ConnectionOptions } from 'mysql2';
import type { ResourceTarget } from '../../engine/index.js';
import { address, isDoubtful } from '../common/target.js';

/** Where all connections of a pool go to. A URL of `mariadb:` says that the server is one; others are told when connected. */
export function targetOf(config: ConnectionOptions): ResourceTarget {
  const system = systemOf(config);
  if (isDoubtful(config.uri)) return { system };
  const { ConnectionConfig } = mysql as unknown as { ConnectionConfig: new (options: object) => Resolved };
  const { host, port, socketPath, database } = new ConnectionConfig({ ...config });
  // Who opens the sockets goes where they like.
  const place =
    config.stream === undefined &&
    (typeof socketPath === 'string' ? { host: socketPath } : address(host, port));
  return { system, namespace: database === '' ? undefined : database, ...place };
}

export function systemOf({ uri }: ConnectionOptions): string {
  return uri?.startsWith('mariadb:') ? 'mariadb' : 'mysql';
}

/** What mysql2 makes of its options. */
interface Resolved {
  readonly host: string;
  readonly port: number;
  readonly socketPath: string | undefined;
  readonly database: string | undefined;
}
