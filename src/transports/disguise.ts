type Named = (...parameters: never[]) => unknown;

/** Gives what is put around a function its name, its number of parameters, and all that decorators have put on it. */
export function disguise(outer: Named, inner: Named): void {
  for (const { name, value } of [
    { name: 'name', value: inner.name },
    { name: 'length', value: inner.length },
  ]) {
    Object.defineProperty(outer, name, { value, configurable: true });
  }
  for (const known of Reflect.getMetadataKeys(inner) as unknown[]) {
    Reflect.defineMetadata(known, Reflect.getMetadata(known, inner), outer);
  }
}
