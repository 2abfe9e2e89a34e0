import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where a certificate or a key of the tests is; see make.sh there. */
export function tlsPath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

export function tlsFile(name: string): string {
  return readFileSync(tlsPath(name), 'utf8');
}
