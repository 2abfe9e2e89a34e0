// Which packages the tests take from this folder instead of the root's: NestJS 11, and what is to be the same one
// for NestJS and for the code under test.
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = fileURLToPath(new URL('.', import.meta.url));
export const MODULES = `${HERE}node_modules${sep}`;

const { devDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const NAMES = new Set(Object.keys(devDependencies));

/** Has this import, written in that file, to be looked up here? What is here already finds its own by itself. */
export function isRedirected(request, importer) {
  if (importer.startsWith(MODULES)) return false;
  const [first, second] = request.split('/');
  return first === '@nestjs' || NAMES.has(first.startsWith('@') ? `${first}/${second}` : first);
}

/** A package that is missing here would be found in the root, and the tests would run on two versions at once. */
export function refuseElsewhere(request, found) {
  if (!found.startsWith(MODULES)) {
    throw new Error(
      `${request} is not in test/nest11: add the version that goes with NestJS 11 to its package.json`,
    );
  }
  return found;
}
