// Removes the given directories: a file whose source is gone must not stay in the build.
import { rmSync } from 'node:fs';

for (const directory of process.argv.slice(2)) rmSync(directory, { recursive: true, force: true });
