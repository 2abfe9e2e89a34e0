import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { Tethered } from './tethered.js';
import { until } from './until.js';

/** A message broker of our own on 127.0.0.1, which ends with this process. */
export interface Broker extends AsyncDisposable {
  readonly port: number;
}

/** Past a PATH that does not have it: Debian's place for servers. */
const PLACES = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` };

/** Why a server does not start here; undefined when it does. */
export function whyNot(command: string, args: readonly string[], debian: string): string | undefined {
  const { error } = spawnSync(command, args, { env: PLACES });
  return error && `needs ${command} (Debian: ${debian}): ${error.message}`;
}

/** @param ready what it says when it is there */
export async function startBroker(
  command: string,
  argsFor: (port: number) => readonly string[],
  ready: RegExp,
): Promise<Broker> {
  for (let attempt = 1; ; attempt++) {
    // Below the range of outgoing connections.
    const port = randomInt(20_000, 32_000);
    const server = Tethered.run(command, argsFor(port), PLACES);
    try {
      await until(
        () => server.said,
        said => ready.test(said),
      );
      return { port, [Symbol.asyncDispose]: () => server.stop() };
    } catch (error) {
      await server.stop();
      if (attempt === 3) throw error;
    }
  }
}
