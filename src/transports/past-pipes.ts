const marked = new WeakSet();

/**
 * Marks the `data` of a parameter decorator, as pipes are told it: what that parameter is given goes past all of them. It is a
 * thing that lives, such as a connection, which a pipe that validates would copy, or tell a client the properties of.
 */
export function pastPipes<D extends object>(data: D): D {
  marked.add(data);
  return data;
}

/** @param metadata what Nest tells a pipe of the parameter */
export function goesPastPipes(metadata: unknown): boolean {
  const { data } = (metadata ?? {}) as { readonly data?: unknown };
  return typeof data === 'object' && data !== null && marked.has(data);
}
