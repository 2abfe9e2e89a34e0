import { types } from 'node:util';
import { isThenable, swallow } from '../engine/basics/user-code.js';
import { count, isObject } from '../engine/options/rules.js';
import { PoolMisuseError } from './errors.js';
import { Lru } from './lru.js';
import { checkOptions, method, required, wrongOption } from './options.js';
import { ownCopy } from './own-copy.js';

/** What {@link memo} is told. */
export interface MemoOptions<A extends readonly unknown[]> {
  /** How many results are remembered at most; beyond, those that were asked for least recently are forgotten. */
  max: number;
  /**
   * A text that is the same for arguments that have the same result, and for no others. Can be left out when there is
   * one argument, and that is no object: it is its own key then, as in a Map.
   */
  key?: (...args: A) => string;
}

type Plain = string | number | bigint | boolean | symbol | null | undefined;
type KeyForOthers<A extends readonly unknown[]> = A extends readonly [Plain]
  ? unknown
  : { key: (...args: A) => string };

/**
 * The same function, which remembers what it made: for patterns, templates and validators that are costly to compile and
 * have no state.
 *
 * ```ts
 * const pattern = memo((source: string) => new RegExp(source, 'u'), { max: 100 });
 * if (pattern(rule.pattern).test(name)) …
 * ```
 *
 * What is made is shared by all who ask. So a RegExp with the flag `g` or `y` is refused: it remembers in `lastIndex` where
 * its last user has stopped. One that is inside of what is returned is not seen. What `create` throws goes to the caller and
 * is not remembered.
 *
 * @returns a function that throws what `create` and `key` throw, and PoolMisuseError if the result is a promise or such a
 * RegExp, the key is no text, or there is no `key` and not exactly one argument that is no object
 * @throws PoolOptionsError naming the option that is wrong, and what is allowed
 */
export function memo<A extends readonly unknown[], R>(
  create: (...args: A) => R,
  options: MemoOptions<A> & KeyForOthers<A>,
): (...args: A) => R {
  if (typeof create !== 'function') throw wrongOption('memo', 'create', create, method.allowed);
  checkOptions<MemoOptions<A>>('memo', options, { max: required(count(1)), key: method });
  const { max, key: keyOf } = options;
  const results = new Lru<unknown, R>(max);

  return (...args) => {
    const key = keyOf === undefined ? onlyOne(args) : textual(keyOf(...args));
    const known = results.get(key);
    if (known !== undefined || results.has(key)) return known as R;
    const own = typeof key === 'string' ? ownCopy(key) : key;
    // What is made of a text keeps it.
    const result = shareable(
      keyOf === undefined ? create(...([own] as readonly unknown[] as A)) : create(...args),
    );
    results.set(own, result);
    return result;
  };
}

function onlyOne(args: readonly unknown[]): unknown {
  const [arg] = args;
  if (args.length === 1 && !isObject(arg) && typeof arg !== 'function') return arg;
  throw misuse(
    `without a key function there must be one argument that is no object; there are ${args.length}, of type ` +
      `${args.map(each => typeof each).join(', ')}. Give a key function.`,
  );
}

function textual(key: unknown): string {
  if (typeof key === 'string') return key;
  throw misuse(`key returned a value of type ${typeof key}; it must return a string.`);
}

function shareable<R>(result: R): R {
  if (isThenable(result)) {
    swallow(result);
    throw misuse(
      'create returned a promise, which would be remembered also when it fails; it must be synchronous.',
    );
  }
  if (types.isRegExp(result) && (result.global || result.sticky)) {
    throw misuse(
      `create returned a RegExp with the flags "${result.flags}": with g or y it has a state, lastIndex, which its users ` +
        'would share. Leave these flags out, or make one for each use.',
    );
  }
  return result;
}

function misuse(message: string): PoolMisuseError {
  return new PoolMisuseError('memo', message);
}
