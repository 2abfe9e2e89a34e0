import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Where the Chromium from npm is unpacked, once for all processes of this machine. */
const UNPACKED = join(tmpdir(), 'nestjs-pool-chromium-147');

/** So that it runs in a container, and calls nobody by itself. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * The program to start: `CHROMIUM_PATH`, or the one of the package `@sparticuz/chromium`.
 *
 * @throws Error when there is none
 */
export async function chromiumPath({ CHROMIUM_PATH }: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (CHROMIUM_PATH) return CHROMIUM_PATH;
  const path = join(UNPACKED, 'chromium');
  if (!existsSync(path)) await unpack();
  return path;
}

/**
 * Unpacks beside, and moves what is complete: several processes may do so at once, and none finds half of it. In a
 * process of its own, since the package unpacks to the temporary folder of its process.
 */
async function unpack(): Promise<void> {
  const beside = await mkdtemp(`${UNPACKED}-`);
  try {
    const script = "import('@sparticuz/chromium').then(({ default: chromium }) => chromium.executablePath())";
    await promisify(execFile)(process.execPath, ['-e', script], { env: { ...process.env, TMPDIR: beside } });
    await rename(beside, UNPACKED);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    // Another one was faster.
    if (existsSync(join(UNPACKED, 'chromium'))) return;
    throw new Error('There is no Chromium: set CHROMIUM_PATH, or install the package @sparticuz/chromium.', {
      cause: error,
    });
  }
}
