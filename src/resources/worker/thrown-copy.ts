import { types } from 'node:util';

/** Causes of causes. */
const DEPTH = 5;

/** An error as it travels: the structured clone of an error knows neither its code nor a name of its own. */
interface ErrorCopy {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | number | undefined;
  readonly cause: ThrownCopy | undefined;
}

/** What was thrown, in a form that can always be cloned. */
export type ThrownCopy = { readonly error: ErrorCopy } | { readonly value: unknown };

/** Makes a copy of whatever was thrown. Never throws itself. */
export function copyThrown(thrown: unknown, depth = DEPTH): ThrownCopy {
  try {
    return isError(thrown) ? { error: copyError(thrown, depth) } : { value: structuredClone(thrown) };
  } catch {
    // A getter that throws, a proxy that was revoked, a function.
    return { error: plain(`What was thrown cannot be cloned: ${typeof thrown}`) };
  }
}

/** What was thrown on the other side: an error of the same kind, as far as the language has such a kind, or the value. */
export function restoreThrown(copy: ThrownCopy): unknown {
  if (!('error' in copy)) return copy.value;
  const { name, message, stack, code, cause } = copy.error;
  const Kind = KINDS.find(kind => kind.name === name) ?? Error;
  const error = cause === undefined ? new Kind(message) : new Kind(message, { cause: restoreThrown(cause) });
  for (const [key, value] of Object.entries({ name, stack, code })) {
    if (value === undefined || (key === 'name' && error.name === value)) continue;
    Object.defineProperty(error, key, {
      value,
      writable: true,
      configurable: true,
      enumerable: key === 'code',
    });
  }
  return error;
}

const KINDS = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

/** Also one of another realm, and a DOMException. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

function copyError(error: Error, depth: number): ErrorCopy {
  const { name, message, stack, code, cause } = error as Partial<Record<keyof Error | 'code', unknown>>;
  return {
    name: String(name),
    message: String(message),
    stack: typeof stack === 'string' ? stack : undefined,
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    cause: cause === undefined || depth === 0 ? undefined : copyThrown(cause, depth - 1),
  };
}

function plain(message: string): ErrorCopy {
  return { name: 'Error', message, stack: undefined, code: undefined, cause: undefined };
}
