import { count } from '../engine/options/rules.js';
import { PoolMisuseError } from './errors.js';
import { Lru } from './lru.js';
import { checkOptions, flag, method, required, wrongOption } from './options.js';
import { ownCopy } from './own-copy.js';
import { WeakValues } from './weak-values.js';

/** What an {@link Interner} is told. */
export interface InternerOptions<T> {
  /** How many values are remembered at most; beyond, those that were asked for least recently are forgotten. */
  max: number;
  /**
   * A text that is the same for values that are equal, and for no others. Left out for texts, which are their own key.
   * Values that have the same key are taken for the same: leave out nothing that tells them apart.
   */
  key?: (value: T) => string;
  /**
   * Values whose key has more characters are handed back as they are, and not remembered, so that `max` bounds the
   * memory, too. Default 1000.
   */
  maxKeyLength?: number;
  /** Does not keep values in memory that nobody else uses. Only for objects, and so with a `key`. Default false. */
  weak?: boolean;
}

/** Objects have no equality of their own. */
type KeyForObjects<T> = [T] extends [string] ? unknown : { key: (value: T) => string };

const MAX_KEY_LENGTH = 1_000;

/**
 * One value for all that are equal, so that memory is paid once, and `===` compares them.
 *
 * ```ts
 * const currencies = new Interner({ max: 500 });
 * order.currency = currencies.intern(row.currency);
 *
 * const addresses = new Interner({ max: 10_000, key: (a: Address) => `${a.zip}|${a.street}`, weak: true });
 * ```
 *
 * What is interned is shared by all who asked for it: objects have to be immutable (`Object.freeze`). A value that was
 * forgotten is another one from then on for those who ask again, so that `===` may miss an equal one, and never takes two for
 * equal that are not.
 */
export class Interner<T = string> {
  private readonly values: Lru<string, T> | WeakValues<T & object>;
  private readonly maxKeyLength: number;

  /** @throws PoolOptionsError naming the option that is wrong, and what is allowed */
  constructor(private readonly options: InternerOptions<T> & KeyForObjects<T>) {
    checkOptions<InternerOptions<T>>('Interner', options, {
      max: required(count(1)),
      key: method,
      maxKeyLength: count(1),
      weak: flag,
    });
    const { max, key, maxKeyLength = MAX_KEY_LENGTH, weak = false } = options;
    if (weak && key === undefined) {
      throw wrongOption('Interner', 'key', key, 'a function when weak is true: texts cannot be kept weakly');
    }
    this.maxKeyLength = maxKeyLength;
    this.values = weak ? new WeakValues(max) : new Lru(max);
  }

  /** How many values are remembered. */
  get size(): number {
    return this.values.size;
  }

  /**
   * The value that was interned first among those with the same key; this one, if there is none.
   *
   * @throws what `key` throws
   * @throws PoolMisuseError if the key is no text, a value without a `key` is no text, or one with `weak` is no object
   */
  intern(value: T): T {
    const key = this.keyOf(value);
    if (key.length > this.maxKeyLength) return value;
    const known = this.values.get(key);
    if (known !== undefined) return known;
    const kept = typeof value === 'string' ? (ownCopy(value) as T) : value;
    this.values.set(ownCopy(key), kept as T & object);
    return kept;
  }

  private keyOf(value: T): string {
    const { options } = this;
    const key: unknown = options.key === undefined ? value : options.key(value);
    if (typeof key === 'string') return key;
    throw new PoolMisuseError(
      'Interner',
      options.key === undefined
        ? `a value of type ${typeof value} has no key of its own. Give a key function.`
        : `key returned a value of type ${typeof key}; it must return a string, another one for values that are not equal.`,
    );
  }
}
