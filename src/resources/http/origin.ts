import type { ResourceTarget } from '../../engine/index.js';

/** So many are remembered; who asks for that many more has to wait a microsecond for each. */
const MOST = 1_000;

/** Tells origins from URLs. Reading a URL costs a part of a request, so those that are written as origins are remembered. */
export class Origins {
  private readonly known = new Set<string>();

  /** Scheme, host and port, as all write them; undefined of what is no URL of http: or https:. */
  of(url: string | URL | undefined): string | undefined {
    if (typeof url !== 'string') return originOf(url);
    if (this.known.has(url)) return url;
    const origin = originOf(url);
    if (origin === url) {
      if (this.known.size >= MOST) this.known.clear();
      this.known.add(url);
    }
    return origin;
  }
}

/** As {@link Origins.of}, without remembering. */
export function originOf(url: string | URL | undefined): string | undefined {
  if (typeof url === 'object') return ofHttp(url);
  return url !== undefined && URL.canParse(url) ? ofHttp(new URL(url)) : undefined;
}

function ofHttp({ protocol, origin }: URL): string | undefined {
  return protocol === 'http:' || protocol === 'https:' ? origin : undefined;
}

/** The server that a URL names, and nothing else of it: undefined of what is no URL of http: or https:. */
export function serverOf(url: string | URL): ResourceTarget | undefined {
  const origin = originOf(url);
  if (origin === undefined) return undefined;
  const { protocol, hostname, port } = new URL(origin);
  return { host: bare(hostname), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

/** An address of IPv6 without its brackets. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
