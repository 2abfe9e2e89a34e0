import type { ResourceTarget } from '../../engine/index.js';
import { address, isDoubtful } from '../common/target.js';

/** What a client is told of where to connect to, whichever library it is of. */
export interface Place {
  readonly url?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
  /** Of a socket. */
  readonly path?: string | undefined;
  readonly database?: number | undefined;
}

/** Where all connections of a pool go to. What stands in the URL comes before the options, as in both libraries. */
export function targetOf({ url, ...options }: Place): ResourceTarget {
  if (isDoubtful(url)) return { system: 'redis' };
  const { host, port, path, database } = { ...options, ...inUrl(url) };
  const place = path === undefined ? address(host ?? 'localhost', Number(port ?? 6_379)) : { host: path };
  return { system: 'redis', namespace: String(database ?? 0), ...place };
}

function inUrl(url: string | undefined): Place {
  if (url === undefined) return {};
  // A URL cannot have a user without a host, one of node-redis can.
  const plain = url.replace(/^unix:\/\/[^/]*@/, 'unix://');
  const { protocol, hostname, port, pathname, searchParams } = new URL(plain, 'unix:///');
  const database = /^\d+$/.exec(
    protocol === 'unix:' ? (searchParams.get('db') ?? '') : pathname.slice(1),
  )?.[0];
  return {
    ...(protocol === 'unix:' && { path: pathname }),
    ...(hostname !== '' && { host: hostname.replace(/^\[(.*)\]$/, '$1') }),
    ...(port !== '' && { port }),
    ...(database !== undefined && { database: Number(database) }),
  };
}
