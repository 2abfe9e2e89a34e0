// Compiles the storm, and runs it in a process of its own whose heap can be measured.
import { spawnSync } from 'node:child_process';

const compile = spawnSync('npm exec --no -- tsc -p test/storm', { stdio: 'inherit', shell: true });
if (compile.status !== 0) process.exit(1);
const main = ['--expose-gc', 'dist/storm/test/storm/main.js'];
process.exit(spawnSync(process.execPath, main, { stdio: 'inherit' }).status ?? 1);
