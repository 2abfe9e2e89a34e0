import type { ResourceTarget } from '../../engine/index.js';

/**
 * Gives a factory its `target`, found out when somebody asks. A member of its own, so that who takes the factory apart keeps it.
 *
 * @param find may throw, where the options are wrong: who connects is told so
 */
export function shows(factory: object, find: () => ResourceTarget): void {
  let found: { readonly target: ResourceTarget | undefined } | undefined;
  const get = (): ResourceTarget | undefined => (found ??= { target: attempt(find) }).target;
  Object.defineProperty(factory, 'target', { enumerable: true, configurable: true, get });
}

function attempt(find: () => ResourceTarget): ResourceTarget | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/**
 * May what this URL says of its host be a part of a password, one with a `/`, `?` or `#` that is not escaped? Then there is an
 * `@` after what looks like the end of the host.
 */
export function isDoubtful(url: unknown): boolean {
  return typeof url === 'string' && /^[^:/]+:\/\/[^/?#]*[/?#].*@/s.test(url);
}

/** Of a socket there is no port. */
export function address(host: string | undefined, port: number | undefined): ResourceTarget {
  return host?.startsWith('/') ? { host } : { host, port };
}
