import type { TransactionOptions } from '../engine/index.js';

const LEVELS: readonly unknown[] = ['read uncommitted', 'read committed', 'repeatable read', 'serializable'];
const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';

/**
 * Checks how a transaction is to be, where that is written.
 *
 * @throws TypeError
 */
export function checkHow(where: string, how: TransactionOptions): void {
  const { isolation, readOnly, deferrable } = how;
  if (isolation !== undefined && !LEVELS.includes(isolation)) {
    throw new TypeError(
      `${where}: isolation must be one of ${LEVELS.map(level => `'${String(level)}'`).join(', ')}.`,
    );
  }
  if (!isFlag(readOnly)) throw new TypeError(`${where}: readOnly must be true or false.`);
  if (!isFlag(deferrable)) throw new TypeError(`${where}: deferrable must be true or false.`);
}

/**
 * Checks the transaction of a parameter.
 *
 * @throws TypeError
 */
export function checkTransaction(
  where: string,
  { transaction, fresh }: { readonly transaction?: unknown; readonly fresh?: boolean | undefined },
): void {
  if (transaction === undefined) return;
  if (transaction !== true && (typeof transaction !== 'object' || transaction === null)) {
    throw new TypeError(`${where}: transaction must be true, or { isolation?, readOnly?, deferrable? }.`);
  }
  if (fresh) {
    throw new TypeError(
      `${where}: a transaction is for everybody in the request, and so not on a fresh resource. Leave one of the two out, ` +
        'or begin one with `begin()` of what @InjectBorrowed gives.',
    );
  }
  checkHow(where, transaction === true ? {} : transaction);
}
