import { PoolOptionsError } from '../../engine/index.js';

/** Their paths are those of files. */
const SOCKETS = /^(unix|socket):/i;

/**
 * An `@` where no URL of a server has one: in what comes after a `#`, in the path, and in a query before its first `=`. Its
 * password has a `#`, `/` or `?` that is not escaped, and every driver takes a part of it for the host, which it then names in
 * errors. An `@` in a password is no trouble by itself: all of them go by the last one.
 */
const CUT = /^[^:/?#]+:\/\/[^/?#]*(?:[/#][^?]*@|[^#]*#.*@|\/?[^?#]*\?[^=]*@)/s;

/**
 * Refuses the URL of a server whose password would be taken for something else.
 *
 * @throws PoolOptionsError that quotes nothing of it
 */
export function checkUrl(pool: string, option: string, url: unknown): void {
  if (typeof url !== 'string' || SOCKETS.test(url) || !CUT.test(url)) return;
  throw new PoolOptionsError(
    pool,
    `Pool "${pool}": option "${option}" is a URL with an "@" behind a "/", "?" or "#", so that a part of its password would be taken ` +
      'for a host. Escape user and password with encodeURIComponent(), or give host, user, password and so on one by one.',
  );
}
