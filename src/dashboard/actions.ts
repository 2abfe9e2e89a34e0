import { PoolError } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import type { PoolRegistry } from '../module/registry.js';

/** An action that is not done; its message is for whoever has asked for it. */
export class ActionRefused extends Error {
  constructor(
    readonly status: 400 | 403 | 404 | 415,
    message: string,
  ) {
    super(message);
  }
}

/** What was done, to which pool. */
export interface Done {
  readonly pool: AnyPool<unknown>;
  readonly text: string;
}

/** Milliseconds. */
const LONGEST_SPREAD = 3_600_000;

const ACTIONS: Readonly<Record<string, (pool: AnyPool<unknown>, body: Record<string, unknown>) => string>> = {
  suspend(pool) {
    pool.suspend();
    return 'suspended';
  },
  resume(pool) {
    pool.resume();
    return 'resumed';
  },
  recycle(pool, body) {
    const spread = numberOf(body, 'spread', LONGEST_SPREAD) ?? 0;
    pool.recycle({ spread });
    return spread > 0 ? `recycled over ${spread} ms` : 'recycled';
  },
  resize(pool, body) {
    if (!('resize' in pool))
      throw new ActionRefused(400, `${pool.name} is a pool by key, and cannot be resized.`);
    const limits = [
      ['min', numberOf(body, 'min')],
      ['max', numberOf(body, 'max')],
    ].filter(([, value]) => value !== undefined);
    if (limits.length === 0) throw new ActionRefused(400, 'A resize needs min, max, or both.');
    pool.resize(Object.fromEntries(limits) as { min?: number; max?: number });
    return `resized to ${limits.map(limit => limit.join(' ')).join(', ')}`;
  },
};

/**
 * Does what the page asks for: `{ pool, action, spread?, min?, max? }`.
 *
 * @throws ActionRefused
 */
export function act(registry: PoolRegistry, body: unknown): Done {
  if (typeof body !== 'object' || body === null) {
    throw new ActionRefused(400, 'The body has to be a JSON object with pool and action.');
  }
  const wish = body as Record<string, unknown>;
  const { pool: name, action } = wish;
  const perform = typeof action === 'string' && Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (!perform) {
    throw new ActionRefused(400, `action must be one of ${Object.keys(ACTIONS).join(', ')}.`);
  }
  if (typeof name !== 'string') throw new ActionRefused(400, 'pool must be the name of a pool.');
  const pool = registry.list().find(each => each.name === name);
  if (!pool) throw new ActionRefused(404, 'There is no pool of this name.');
  try {
    return { pool, text: perform(pool, wish) };
  } catch (error) {
    // It says which option is wrong, and what is allowed.
    if (error instanceof PoolError) throw new ActionRefused(400, error.message);
    throw error;
  }
}

function numberOf(body: Record<string, unknown>, name: string, most = 1_000_000): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) {
    throw new ActionRefused(400, `${name} must be a whole number from 0 to ${most}.`);
  }
  return value;
}
