import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** What a page may load beside what is in it, and where that is. Everything else does not exist for the browser. */
export interface Reach {
  readonly origins: ReadonlySet<string>;
  /** For the start of Chromium. It holds for redirects, scripts and sockets as well, as there is no other way to a host. */
  readonly hostRules: string;
}

const PRIVATE = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE.addSubnet(net, prefix, 'ipv4');
}

/** Only IPv4 is used: what is private in IPv6 has many spellings. */
export function isPrivate(address: string): boolean {
  return isIP(address) !== 4 || PRIVATE.check(address, 'ipv4');
}

/**
 * Looks the hosts up once, so that what they are later said to be changes nothing.
 *
 * @param allowed origins such as `https://example.com`
 * @throws Error when one is no origin of http or https, is not found, or has a private address
 */
export async function reachOf(allowed: readonly string[], allowPrivate: boolean): Promise<Reach> {
  const rules: string[] = [];
  const origins = new Set<string>();
  for (const text of allowed) {
    const { origin, protocol, hostname, port } = new URL(text);
    if (protocol !== 'https:' && protocol !== 'http:') throw new Error(`${text} is not of http or https`);
    const { address } = await lookup(hostname, { family: 4 });
    if (!allowPrivate && isPrivate(address))
      throw new Error(`${hostname} has the private address ${address}`);
    const number = port || (protocol === 'https:' ? '443' : '80');
    rules.push(`MAP ${hostname}:${number} ${address}:${number}`);
    origins.add(origin);
  }
  return { origins, hostRules: [...rules, 'MAP * ~NOTFOUND'].join(', ') };
}
