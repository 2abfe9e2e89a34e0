import { chromium, type Browser } from 'playwright-core';
import { CHROMIUM_ARGS, chromiumPath } from './chromium.js';
import type { Reach } from './reach.js';

export async function launchBrowser({ hostRules }: Reach): Promise<Browser> {
  return chromium.launch({
    executablePath: await chromiumPath(),
    args: [
      ...CHROMIUM_ARGS,
      `--host-resolver-rules=${hostRules}`,
      // It would go by other ways than those.
      '--webrtc-ip-handling-policy=disable_non_proxied_udp',
    ],
  });
}

/**
 * Starts a browser and ends it, to say at once what is missing.
 *
 * @throws Error that says so
 */
export async function tryBrowser(reach: Reach): Promise<void> {
  try {
    await (await launchBrowser(reach)).close();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Chromium does not start here, so that nothing can be rendered.

  - A library is missing: on Debian and Ubuntu, apt-get install libnss3.
  - The Chromium from npm does not fit this system: set CHROMIUM_PATH to one that does.

${why}`,
      { cause: error },
    );
  }
}
