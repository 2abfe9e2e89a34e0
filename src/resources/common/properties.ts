/** An object and its prototypes, the nearest first, but for the last of all, which is that of every object. */
export function* lineage(from: object): Generator<object> {
  for (
    let above = Object.getPrototypeOf(from) as object | null;
    above;
    above = Object.getPrototypeOf(above) as object | null
  ) {
    yield from;
    from = above;
  }
}

/** Describes a property as the method of a class is one. */
export function method(value: unknown): PropertyDescriptor {
  return { value, writable: true, configurable: true, enumerable: false };
}
