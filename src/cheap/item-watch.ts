import { isThenable, swallow } from '../engine/basics/user-code.js';
import { isObject } from '../engine/options/rules.js';
import { detectLateUse } from '../engine/lending/late-use.js';
import { PoolMisuseError } from './errors.js';

interface State {
  readonly lent: boolean;
  /** What its borrower got in place of it. */
  readonly proxy?: object;
  /** Lets nobody at its proxy any more. */
  readonly end?: () => void;
}

const BACK: State = { lent: false };
const LENT: State = { lent: true };

/** Knows of all items of a free list who has them: its borrower, or the list. For development. */
export class ItemWatch<T extends object> {
  /** Also of those that were dropped, for as long as somebody has them. */
  private readonly states = new WeakMap<T, State>();
  private readonly items = new WeakMap<T, T>();

  constructor(private readonly detectsLateUse: boolean) {}

  /** @returns what its borrower gets */
  lend(item: T): T {
    if (!isObject(item) && typeof item !== 'function') {
      throw misuse(`create returned ${String(item)}; it must return an object.`);
    }
    if (isThenable(item))
      throw misuse('create returned a promise; it must be synchronous. Use a Pool for these.');
    if (this.states.get(item)?.lent) {
      throw misuse('create returned an item that is lent already; it must return another one each time.');
    }
    if (!this.detectsLateUse) {
      this.states.set(item, LENT);
      return item;
    }
    const handle = detectLateUse({ resource: item, revoke: () => undefined }, () => undefined);
    // It is only thrown, whichever class it has.
    const end = (): void => handle.revoke(() => usedLate() as never);
    this.states.set(item, { lent: true, proxy: handle.resource, end });
    this.items.set(handle.resource, item);
    return handle.resource;
  }

  /** @returns the item for what its borrower had */
  takeBack(given: T): T {
    const item = this.items.get(given) ?? given;
    const state = isObject(item) || typeof item === 'function' ? this.states.get(item) : undefined;
    if (state === undefined) {
      throw misuse('this item was not taken from this list. Give back the very object that take() returned.');
    }
    // An old borrower has another proxy than the one who has it now.
    if (!state.lent || (given !== item && given !== state.proxy)) {
      throw misuse(
        'this item was given back already; two users would get it at once. Give each item once, in a finally block.',
      );
    }
    this.states.set(item, BACK);
    state.end?.();
    return item;
  }

  checkReset(result: unknown): void {
    if (isThenable(result)) {
      swallow(result);
      throw misuse('reset returned a promise; it must be synchronous. Use a Pool for these.');
    }
  }
}

function misuse(message: string): PoolMisuseError {
  return new PoolMisuseError('FreeList', message);
}

function usedLate(): PoolMisuseError {
  return misuse('this item was used after it had been given back; it may be somebody else’s by now.');
}
