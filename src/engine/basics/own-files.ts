import { fileURLToPath } from 'node:url';
import { readCallSites } from './call-sites.js';

/** This file: what is before its match is the folder of the library. Somewhere else, such as in a bundle, it does not match. */
const HERE = /engine[\\/]basics[\\/]own-files\.[jt]s(?:\?.*)?$/;

/**
 * How the engine names the folder of this library: with a slash at its end, as a URL where it was loaded as ES modules, as a
 * path where it was compiled to CommonJS. Asked for with a stack, as `import.meta` cannot be compiled to CommonJS, which Jest
 * does with the library in applications that are CommonJS.
 */
const folder = ((): string | undefined => {
  const trace: { stack?: unknown } = {};
  const limit = Error.stackTraceLimit;
  // It may be 0.
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(trace);
  Error.stackTraceLimit = limit;
  const script = readCallSites(trace, ([site]) => site?.getFileName());
  return script && HERE.test(script) ? script.replace(HERE, '') : undefined;
})();

/** Is this line of a stack one of the library's own? */
export function isOwnFrame(line: string): boolean {
  return folder !== undefined && line.includes(folder);
}

/** The path of a file or folder of the library; undefined where it is not known, as in a bundle. */
export function ownPath(relative: string): string | undefined {
  if (folder === undefined) return undefined;
  return (folder.startsWith('file:') ? fileURLToPath(folder) : folder) + relative;
}
