import { PoolOptionsError, type PoolSettings, type ResourceFactory } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import type { Rule } from '../../engine/options/rules.js';
import { checkUrl } from '../common/check-url.js';
import { HOOK_RULES } from '../common/hooks.js';
import type { SessionReset } from './session.js';

const SESSION_RESETS: readonly unknown[] = ['auto', 'always', 'never'];
const DEFAULT_DESTROY_TIMEOUT = 5_000;

const RULES: Readonly<Record<string, Rule>> = {
  sessionReset: {
    ok: value => SESSION_RESETS.includes(value),
    allowed: `'auto', 'always' or 'never'`,
  },
  isFatal: { ok: value => typeof value === 'function', allowed: 'a function of an error and a client' },
  url: {
    ok: value => typeof value === 'string' && /^(rediss?:\/\/|unix:|\/)/.test(value),
    allowed: 'a text that begins with redis:// or rediss://',
  },
  connectionName: {
    ok: value => typeof value === 'string' && !/[^!-~]/.test(value),
    allowed: 'a text of printable ASCII characters without spaces',
  },
  masterName: { ok: value => typeof value === 'string' && value !== '', allowed: 'a text' },
  tcpKeepAlive: {
    ok: value => value === false || (typeof value === 'number' && value >= 0 && value < Infinity),
    allowed: 'milliseconds ≥ 0, or false',
  },
  ...HOOK_RULES,
};

interface Prepared<C> {
  readonly settings: PoolSettings;
  readonly config: Record<string, unknown>;
  readonly sessionReset: SessionReset;
  readonly patience: number;
  readonly isFatal: ResourceFactory<C>['isFatal'];
}

/**
 * Tells what is the pool's from what is the library's.
 *
 * @param known what the library takes
 * @param poolsOwn what it takes, and the pool decides
 * @throws PoolOptionsError
 */
export function prepare<C>(
  options: PoolSettings & { sessionReset?: SessionReset; isFatal?: ResourceFactory<C>['isFatal'] },
  known: Readonly<Record<string, true>>,
  poolsOwn: readonly string[],
): Prepared<C> {
  const { name: pool = 'pool', destroyTimeout = DEFAULT_DESTROY_TIMEOUT } = options;
  const title = `Pool "${pool}"`;
  checkOwn(pool, title, options, RULES);
  checkUrl(pool, 'url', (options as { readonly url?: string }).url);
  const settings: Record<string, unknown> = {};
  const config: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || key in RULES) {
      if (value !== undefined && key in known) config[key] = value;
    } else if (poolsOwn.includes(key)) {
      throw new PoolOptionsError(
        pool,
        `${title}: option "${key}" is not for a pool: it replaces a connection that has broken by another, which has ` +
          'nothing of the old one. See createBackoff, acquireTimeout and unavailableAfter.',
      );
    } else (key in known ? config : settings)[key] = value;
  }
  const { sessionReset = 'auto', isFatal } = options;
  return {
    settings,
    config,
    sessionReset,
    patience: Math.min(destroyTimeout, DEFAULT_DESTROY_TIMEOUT) / 2,
    isFatal,
  };
}

/** The pool's name as Redis takes it. */
export function connectionNameOf(pool: string | undefined): string | undefined {
  return pool?.replace(/[^!-~]+/g, '-');
}
