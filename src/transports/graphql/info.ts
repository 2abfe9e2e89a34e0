/** What is needed of what graphql-js tells each resolver; its package is not imported, as applications need not have it. */
export interface ResolveInfo {
  readonly fieldName: string;
  /** The definitions of the operation; each execution of graphql-js makes an object of its own for those of fragments. */
  readonly fragments: object;
  readonly operation: object & { readonly operation: string };
  /** Of an event of a subscription: what its source has emitted. */
  readonly rootValue: unknown;
}

function isInfo(value: unknown): value is ResolveInfo {
  return typeof value === 'object' && value !== null && 'fragments' in value && 'operation' in value;
}

/** A resolver is given root, arguments, context and info; one of references no arguments; one of types a type besides. */
export function contextAndInfo(args: readonly unknown[]): { context: unknown; info?: ResolveInfo } {
  const place = args.findIndex(isInfo);
  return place < 1 ? { context: args[2] } : { context: args[place - 1], info: args[place] as ResolveInfo };
}

/** In the place of context values that are no objects. */
const NONE = {};

/** Values by an object of an operation and its context value; either may be there for several operations. */
export class ByContext<V> {
  private readonly values = new WeakMap<object, WeakMap<object, V>>();

  get(key: object, context: unknown): V | undefined {
    return this.values.get(carrier(context))?.get(key);
  }

  set(key: object, context: unknown, value: V): void {
    const all = this.values.get(carrier(context)) ?? new WeakMap<object, V>();
    this.values.set(carrier(context), all.set(key, value));
  }

  delete(key: object, context: unknown): void {
    this.values.get(carrier(context))?.delete(key);
  }
}

function carrier(context: unknown): object {
  return typeof context === 'object' && context !== null ? context : NONE;
}
