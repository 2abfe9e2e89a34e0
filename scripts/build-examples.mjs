// Builds the library, and examples that import it through package.json's `exports` as any user would.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export function buildExamples(...names) {
  for (const command of [
    'npm run --silent build',
    ...names.map(name => `npm exec --no -- nest build ${name}`),
  ]) {
    // A build that succeeds has nothing to say: the example's own output comes next.
    const { status, stdout, stderr } = spawnSync(command, { cwd: root, shell: true, encoding: 'utf8' });
    if (status !== 0) {
      console.error(`${stdout}${stderr}\nFailed: ${command}`);
      process.exit(1);
    }
  }
}

// For tests: those that are named.
if (process.argv[1] === fileURLToPath(import.meta.url)) buildExamples(...process.argv.slice(2));
