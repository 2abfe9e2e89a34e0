// Which packages the tests take from a folder of their own instead of the root's: NestJS 11, and what is to be the same one
// for NestJS and for the code under test.
import { readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the newest, this one, unless a configuration says another: test/nest11.0 has the first. */
export const HERE = process.env.NEST11_FOLDER ?? fileURLToPath(new URL('.', import.meta.url));
const MODULES = `${HERE}node_modules${sep}`;

const { devDependencies } = JSON.parse(readFileSync(`${HERE}package.json`, 'utf8'));
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
      `${request} is not in ${HERE}: add the version that goes with its NestJS to the package.json there`,
    );
  }
  return found;
}
