// Builds the library, and the example that imports it through package.json's `exports` as any user would.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

for (const command of ['npm run --silent build', 'npm exec --no -- nest build orders']) {
  // A build that succeeds has nothing to say: the example's own output comes next.
  const { status, stdout, stderr } = spawnSync(command, { cwd: root, shell: true, encoding: 'utf8' });
  if (status !== 0) {
    console.error(`${stdout}${stderr}\nFailed: ${command}`);
    process.exit(1);
  }
}
