/** Segments that are no dots, of what a URL leaves as it is, and a query likewise. */
const PLAIN = /^(?:\/(?!\.{1,2}(?:[/?]|$))[\w.~!$&()*+,;=:@-]*)+(?:\?[\w.~!$&()*+,;=:@/?%-]+)?$/;

/**
 * The path and query of a relative URL that is plainly written, as most are: reading a URL costs a part of a request.
 *
 * @param directory the path of the base URL, with a slash at its end
 * @returns undefined of what has to be read as a URL
 */
export function plainPath(url: string, directory: string): string | undefined {
  if (url.startsWith('/')) return !url.startsWith('//') && PLAIN.test(url) ? url : undefined;
  // What comes before a colon may be a scheme.
  if (url === '' || url.startsWith('?') || url.includes(':') || !PLAIN.test(`/${url}`)) return undefined;
  return directory + url;
}
