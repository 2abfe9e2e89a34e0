import type { TransactionOptions } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';

const LEVELS: readonly unknown[] = ['read uncommitted', 'read committed', 'repeatable read', 'serializable'];
const yesOrNo = { ok: (value: unknown) => typeof value === 'boolean', allowed: 'true or false' };

const RULES = {
  isolation: {
    ok: (value: unknown) => LEVELS.includes(value),
    allowed: `'read uncommitted', 'read committed', 'repeatable read' or 'serializable'`,
  },
  readOnly: yesOrNo,
  deferrable: yesOrNo,
};

/**
 * @returns how a message about them begins
 * @throws PoolOptionsError when an option is not what it must be
 */
export function checkTransactionOptions(pool: string, options: TransactionOptions): string {
  const title = `Pool "${pool}", transaction`;
  checkOwn(pool, title, options, RULES);
  return title;
}
