import { isObject } from '../engine/options/rules.js';
import { PoolMisuseError } from './errors.js';
import { Lru } from './lru.js';

interface Entry<T extends object> {
  readonly key: string;
  readonly ref: WeakRef<T>;
}

/** Values by key for as long as somebody else keeps them in memory. Then their key goes, too. */
export class WeakValues<T extends object> {
  private readonly entries: Lru<string, Entry<T>>;
  private readonly gone = new FinalizationRegistry<Entry<T>>(entry => {
    // Another value may have the key by now.
    if (this.entries.peek(entry.key) === entry) this.entries.delete(entry.key);
  });

  constructor(max: number) {
    this.entries = new Lru(max, entry => void this.gone.unregister(entry));
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: string): T | undefined {
    return this.entries.get(key)?.ref.deref();
  }

  set(key: string, value: T): void {
    if (!isObject(value) && typeof value !== 'function') {
      throw new PoolMisuseError(
        'Interner',
        `a value is of type ${typeof value}; with weak it must be an object.`,
      );
    }
    const entry = { key, ref: new WeakRef(value) };
    this.gone.register(value, entry, entry);
    this.entries.set(key, entry);
  }
}
