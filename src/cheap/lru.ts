/** A bounded map that forgets what was asked for least recently: the first in the order of a Map. */
export class Lru<K, V> {
  private readonly entries = new Map<K, V>();
  private newest: K | undefined;

  constructor(
    private readonly max: number,
    private readonly forgotten: (value: V) => void = () => undefined,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  /** @returns undefined also for a value that is undefined: ask `has` */
  get(key: K): V | undefined {
    const value = this.entries.get(key);
    // To move what is the last already costs as much as all the rest.
    if (key === this.newest || (value === undefined && !this.entries.has(key))) return value;
    this.entries.delete(key);
    this.entries.set(key, value as V);
    this.newest = key;
    return value;
  }

  has(key: K): boolean {
    return this.entries.has(key);
  }

  /** Does not look at it as if it were asked for. */
  peek(key: K): V | undefined {
    return this.entries.get(key);
  }

  set(key: K, value: V): void {
    this.entries.delete(key);
    if (this.entries.size >= this.max) this.forgetOldest();
    this.entries.set(key, value);
    this.newest = key;
  }

  delete(key: K): void {
    this.entries.delete(key);
  }

  private forgetOldest(): void {
    const [oldest] = this.entries;
    this.entries.delete(oldest![0]);
    this.forgotten(oldest![1]);
  }
}
