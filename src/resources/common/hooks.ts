import { isThenable } from '../../engine/basics/user-code.js';
import type { KeyedSessionHooks, SessionHooks } from '../../engine/index.js';
import type { Rule } from '../../engine/options/rules.js';

const hook: Rule = { ok: value => typeof value === 'function', allowed: 'a function' };

/** For `checkOwn`. */
export const HOOK_RULES: Readonly<Record<keyof SessionHooks<unknown>, Rule>> = {
  onCreate: hook,
  onBorrow: hook,
  onReturn: hook,
};

/** A session in which what the user's `onCreate` does is its own, and no trace of a borrower. */
export interface Foundable {
  /** Has what `onCreate` did been undone since? */
  renewed: boolean;
  /** Calls `onCreate`. Resolves when that is done, and rejects when it has failed, or has left something open. */
  found(work: () => unknown): Promise<void>;
  /** Calls another hook of the user's: what that does is to be seen, and undone as if it was a borrower's. */
  observe?(work: () => unknown): unknown;
  /** As `observe`, where it is `onBorrow`: somebody has it from now on. */
  occupy?(work: () => unknown): unknown;
}

/** The user's hooks, as the engine is to call them; only those that there are. */
export function sessionHooks<C, K = never>(
  given: KeyedSessionHooks<K, C>,
  sessionOf: (client: C) => Foundable,
): KeyedSessionHooks<K, C> {
  const hooks: KeyedSessionHooks<K, C> = {
    onCreate: (client, context) => sessionOf(client).found(() => given.onCreate?.(client, context)),
    onBorrow: (client, context) => {
      const session = sessionOf(client);
      const work = (): unknown => given.onBorrow?.(client, context);
      return session.occupy ? session.occupy(work) : observed(session, work);
    },
    onReturn: (client, outcome, context) =>
      observed(sessionOf(client), () => given.onReturn?.(client, outcome, context)),
  };
  const present = Object.entries(hooks).filter(([name]) => given[name as keyof typeof given] !== undefined);
  return Object.fromEntries(present);
}

function observed(session: Foundable, work: () => unknown): unknown {
  return session.observe ? session.observe(work) : work();
}

/** Calls what may be asynchronous, and `done` when that has settled. @returns what it returns, or a promise of that */
export function whileRunning(work: () => unknown, done: () => void): unknown {
  try {
    const result = work();
    if (isThenable(result)) return Promise.resolve(result).finally(done);
    done();
    return result;
  } catch (error) {
    done();
    throw error;
  }
}

/** What a `reset` answers that may have made the session a new one. */
export function renewedOr(
  session: Foundable,
  clean: boolean | Promise<boolean>,
): boolean | Promise<boolean | 'renewed'> {
  // What returns at once has sent nothing.
  if (typeof clean === 'boolean') return clean;
  return clean.then(done => (done && session.renewed ? 'renewed' : done));
}
