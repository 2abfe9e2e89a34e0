import { count } from '../engine/options/rules.js';
import { ItemWatch } from './item-watch.js';
import { checkOptions, flag, inDevelopment, method, required } from './options.js';

/** What a {@link FreeList} is told. */
export interface FreeListOptions<T extends object> {
  /** Makes an item when none is kept. */
  create: () => T;
  /**
   * Makes an item as good as new when it is given back. If it throws or returns false, the item is dropped, and nobody is
   * told but by `dropped`. Not called for an item for which there is no room. Must be synchronous.
   */
  reset?: (item: T) => boolean | void;
  /** How many items are kept at most; what is given beyond is dropped. There is no bound on how many are taken. */
  max: number;
  /**
   * Refuses misuse: what is given twice, what is not from here, and promises where there should be items. Costs a look into
   * a WeakMap for each take and give. Default: true, unless NODE_ENV is `production` when the list is made.
   */
  debug?: boolean;
  /**
   * With `debug`: lends a proxy in place of the item, which refuses to be used once it is given back. Default false, as it
   * slows down what is done with the item, and as native functions and `#private in item` want the item itself.
   */
  detectUseAfterGive?: boolean;
}

/**
 * A free list: objects that are used again in place of being made anew. Synchronous, and nothing but a stack: take
 * and give cost no allocation, and no promise.
 *
 * ```ts
 * const vectors = new FreeList({ create: () => new Float64Array(4_096), reset: v => void v.fill(0), max: 32 });
 * const vector = vectors.take();
 * try { … } finally { vectors.give(vector); }
 * ```
 *
 * An item that is never given back is left to the garbage collector. Objects of a few fields are not worth it: see
 * docs/cheap-pools.md.
 */
export class FreeList<T extends object> {
  /** Does not shrink, as a stack that did would allocate again and again; above `kept` all are undefined. */
  private readonly stack: (T | undefined)[] = [];
  private kept = 0;
  private lost = 0;
  private readonly max: number;
  private readonly resets: boolean;
  private readonly watch: ItemWatch<T> | undefined;

  /** @throws PoolOptionsError naming the option that is wrong, and what is allowed */
  constructor(private readonly options: FreeListOptions<T>) {
    checkOptions('FreeList', options, {
      create: required(method),
      reset: method,
      max: required(count(1)),
      debug: flag,
      detectUseAfterGive: flag,
    });
    const { debug = inDevelopment(), detectUseAfterGive = false } = options;
    this.max = options.max;
    this.resets = options.reset !== undefined;
    this.watch = debug ? new ItemWatch(detectUseAfterGive) : undefined;
  }

  /** How many items are kept, ready to be taken. */
  get size(): number {
    return this.kept;
  }

  /** How many items were given back and not kept so far: there was no room, or they could not be reset. */
  get dropped(): number {
    return this.lost;
  }

  /**
   * The item that was given back last, or a new one.
   *
   * @throws what `create` throws
   * @throws PoolMisuseError with `debug`, if `create` returned a promise or what is no object
   */
  take(): T {
    const item = this.kept === 0 ? this.options.create() : this.pop();
    return this.watch === undefined ? item : this.watch.lend(item);
  }

  /**
   * Takes an item back. Do not use it any more: it may be somebody else's by now.
   *
   * @throws PoolMisuseError with `debug`, if it is not lent: given twice, or not from this list. Without `debug` an item
   * that is given twice is lent to two at once.
   */
  give(item: T): void {
    const own = this.watch === undefined ? item : this.watch.takeBack(item);
    if (this.kept < this.max && (!this.resets || this.reset(own))) {
      this.stack[this.kept++] = own;
    } else {
      this.lost++;
    }
  }

  private pop(): T {
    const item = this.stack[--this.kept]!;
    // Whoever has it now is the only one to keep it in memory.
    this.stack[this.kept] = undefined;
    return item;
  }

  private reset(item: T): boolean {
    let result: unknown;
    try {
      result = this.options.reset!(item);
    } catch {
      return false;
    }
    this.watch?.checkReset(result);
    // It may have given back others.
    return result !== false && this.kept < this.max;
  }
}
