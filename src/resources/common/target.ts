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
    const { system, namespace, host, port } = find();
    return {
      system,
      namespace: text(namespace),
      host: text(host),
      port: Number.isInteger(port) ? port : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Drivers take more than their types say: a null for nothing, a number for a name. */
function text(given: unknown): string | undefined {
  return typeof given === 'string' || typeof given === 'number' ? String(given) : undefined;
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
