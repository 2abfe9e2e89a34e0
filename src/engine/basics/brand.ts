type Class = abstract new (...parameters: never[]) => object;

const PREFIX = 'nestjs-pool.';

/**
 * Brands classes, so that `instanceof` knows their instances whichever copy of this package has made them. A process has
 * several copies when dependencies bring their own, when one is bundled, or when Jest loads its modules anew.
 *
 * A class of the user's own that extends a branded one is told apart as any other class is, by its prototype.
 *
 * @param classes by their names; they keep them where a minifier calls them otherwise, as errors are named after them
 */
export function brand(classes: Readonly<Record<string, Class>>): void {
  for (const [name, type] of Object.entries(classes)) brandOne(type, name);
}

function brandOne(type: Class, name: string): void {
  const mark = Symbol.for(PREFIX + name);
  Object.defineProperty(type, 'name', { value: name });
  Object.defineProperty(type.prototype, mark, { value: true });
  Object.defineProperty(type, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // Subclasses inherit this.
      if (this !== type) return Function.prototype[Symbol.hasInstance].call(this, value);
      return typeof value === 'object' && value !== null && mark in value;
    },
  });
}

/** Gives something the brands of an instance, so that it is known by `instanceof` as that, whatever its own class. */
export function brandLike(thing: object, instance: object): void {
  for (let owner: object | null = instance; owner; owner = Object.getPrototypeOf(owner) as object | null) {
    for (const mark of Object.getOwnPropertySymbols(owner)) {
      if (Symbol.keyFor(mark)?.startsWith(PREFIX)) Object.defineProperty(thing, mark, { value: true });
    }
  }
}
