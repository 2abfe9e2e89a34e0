import { FormData } from 'undici';

/**
 * A form, also where it is one of Node's own: undici takes no `FormData` but its own, and would send the words
 * "[object FormData]" in its place.
 */
export function asOwnForm(body: unknown): unknown {
  if (!isForeignForm(body)) return body;
  const form = new FormData();
  for (const [name, value] of body) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, value, value.name);
  }
  return form;
}

/** Not a form of the package `form-data`, which is a stream. */
function isForeignForm(body: unknown): body is globalThis.FormData {
  if (typeof body !== 'object' || body === null || body instanceof FormData) return false;
  const { getAll, entries } = body as Partial<globalThis.FormData>;
  return (
    (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'FormData' &&
    typeof getAll === 'function' &&
    typeof entries === 'function'
  );
}
