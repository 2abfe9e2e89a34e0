// What the compiler leaves behind: the files of the live page go beside what serves them.
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = path => fileURLToPath(new URL(`../${path}`, import.meta.url));
cpSync(at('src/dashboard/page'), at('dist/lib/dashboard/page'), { recursive: true });
