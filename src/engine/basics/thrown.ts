import { types } from 'node:util';

/** What an unknown thrown value has to say. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // node: several addresses refused = an AggregateError without a message of its own
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.message;
}

/** Is it an error? Also one of another realm, as those of Node's own modules are in Jest. */
export function isError(value: unknown): boolean {
  return value instanceof Error || types.isNativeError(value);
}

/** The class of an unknown thrown value and its code, for places where its message may not go. */
export function kindOf(error: unknown): string {
  if (!isError(error)) return typeof error;
  const { name, code } = error as Error & { code?: unknown };
  const kind = plain(name) ?? 'Error';
  const known = plain(code);
  return known === undefined ? kind : `${kind} ${known}`;
}

/** Names and codes can be anything, too. */
function plain(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_]{1,50}$/.test(value) ? value : undefined;
}
