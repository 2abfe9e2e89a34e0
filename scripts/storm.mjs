// Compiles a storm, and runs it in a process of its own whose heap can be measured: that of requests, or that of orders.
import { spawnSync } from 'node:child_process';
import { buildExamples } from './build-examples.mjs';

const [kind] = process.argv.slice(2);
if (kind === 'orders') buildExamples('orders');
const compile = spawnSync('npm exec --no -- tsc -p test/storm', { stdio: 'inherit', shell: true });
if (compile.status !== 0) process.exit(1);
const main = `dist/storm/test/storm/${kind === 'orders' ? 'orders/' : ''}main.js`;
process.exit(spawnSync(process.execPath, ['--expose-gc', main], { stdio: 'inherit' }).status ?? 1);
