import type { ClientConfig } from 'pg';
import { messageOf } from '../../engine/index.js';
import { HostsError, isHopeless, isRefusedLogin } from './errors.js';
import type { Targets } from './hosts.js';
import type { Session } from './session.js';
import type { TargetSessionAttrs, Wanted } from './role.js';

/**
 * Opens a session at the first of the hosts that will do. As with libpq, those behind one that has refused the login are not
 * tried: a wrong password is to be told to one server, and not to all.
 *
 * @throws HostsError when there are several, and none will do
 */
export async function openFirst(
  { hosts, target, shuffled }: Targets,
  signal: AbortSignal,
  open: (config: ClientConfig, wanted: Wanted) => Promise<Session>,
): Promise<Session> {
  const rounds = roundsOf(target);
  const inOrder = shuffled ? shuffle(hosts) : hosts;
  let failed: Failure[] = [];
  for (const wanted of rounds) {
    failed = [];
    for (const { name, config } of inOrder) {
      try {
        return await open(config, wanted);
      } catch (error) {
        signal.throwIfAborted();
        failed.push({ name, error });
        if (isRefusedLogin(error)) throw told(failed, true);
      }
    }
  }
  throw told(
    failed,
    failed.every(({ error }) => isHopeless(error)),
  );
}

function roundsOf(target: TargetSessionAttrs | undefined): readonly Wanted[] {
  return target === 'prefer-standby' ? ['standby', 'any'] : [target ?? 'any'];
}

/** What became of one host. */
interface Failure {
  readonly name: string | undefined;
  readonly error: unknown;
}

function told(failed: readonly Failure[], hopeless: boolean): unknown {
  const [first] = failed;
  if (first?.name === undefined) return first?.error;
  const each = failed.map(({ name, error }) => `${name}: ${messageOf(error)}`);
  const errors = failed.map(({ error }) => error);
  return new HostsError(`None of the hosts could be used. ${each.join('; ')}`, errors, hopeless);
}

/** Fisher and Yates. */
function shuffle<T>(values: readonly T[]): T[] {
  const shuffled = [...values];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
  }
  return shuffled;
}
