// Installs what a folder's lockfile says, unless that is there already.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export function installed(folder) {
  const lockfile = join(folder, 'package-lock.json');
  // Written last, so that an installation that was interrupted is not taken for one.
  const mark = join(folder, 'node_modules', '.installed-from.json');
  if (existsSync(mark) && readFileSync(mark).equals(readFileSync(lockfile))) return;

  const args = ['ci', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', args, {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error(`npm ci failed in ${folder}`);
    process.exit(1);
  }
  copyFileSync(lockfile, mark);
}
