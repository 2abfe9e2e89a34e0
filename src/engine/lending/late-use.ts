import type { LeaseReleasedError } from '../errors.js';
import type { Handle } from '../options/factory.js';

/** Frames between the end of a lease and the place where it is noted. */
const OWN_FRAMES = 12;

/** Asked of a value when it is passed on, as by `await` or the result of an async function. That is no use of it. */
const PASSED_ON: readonly unknown[] = ['then', 'constructor', Symbol.toStringTag];

/** @param use what was done, @param stack where, @param releasedAt where the lease had ended */
type Report = (use: string, stack: string, releasedAt: string) => void;

/**
 * Puts a proxy around what a borrower gets, which lets nobody at it once the lease has ended. What is no object or
 * function has nothing that could be used.
 *
 * Methods are called on the resource itself, so that private fields and the internals of `Map`, `Set` and `Buffer` are
 * there. What looks at the proxy itself finds none: `#field in resource`, native functions that are given the resource
 * as an argument, and comparing it with the one that `create` made.
 */
export function detectLateUse<T>(handle: Handle<T>, report: Report): Handle<T> {
  const { resource } = handle;
  if ((typeof resource !== 'object' || resource === null) && typeof resource !== 'function') return handle;
  const trap = new Trap(resource, report);
  return {
    resource: trap.proxy as T,
    revoke: why => {
      trap.close(why);
      handle.revoke(why);
    },
  };
}

type Callable = (...args: unknown[]) => unknown;

class Trap {
  readonly proxy: object;
  /** The same function has the same substitute, so that `resource.method === resource.method`. */
  private readonly methods = new WeakMap<object, object>();
  private why: (() => LeaseReleasedError) | undefined;
  private released: Error | undefined;

  constructor(
    private readonly target: object,
    private readonly report: Report,
  ) {
    this.proxy = new Proxy(target, this.handler(target));
  }

  close(why: () => LeaseReleasedError): void {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = limit + OWN_FRAMES;
    this.released = new Error('the lease ended here');
    Error.stackTraceLimit = limit;
    this.why = why;
  }

  private handler(target: object): ProxyHandler<object> {
    return {
      get: (_, key) => {
        if (!PASSED_ON.includes(key)) this.used(key);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' && !isFixed(target, key)
          ? this.method(value as Callable, key)
          : value;
      },
      set: (_, key, value) => {
        this.used(key, 'set ');
        return Reflect.set(target, key, value, target);
      },
      has: (_, key) => {
        this.used(key, 'has ');
        return Reflect.has(target, key);
      },
      deleteProperty: (_, key) => {
        this.used(key, 'delete ');
        return Reflect.deleteProperty(target, key);
      },
      defineProperty: (_, key, descriptor) => {
        this.used(key, 'define ');
        return Reflect.defineProperty(target, key, descriptor);
      },
      ownKeys: () => {
        this.used('its keys');
        return Reflect.ownKeys(target);
      },
      apply: (_, self, args: unknown[]) => this.call(target as Callable, 'the call', self, args),
      construct: (_, args: unknown[]) => {
        this.used('new');
        return Reflect.construct(target as new () => object, args) as object;
      },
    };
  }

  /** A proxy, not a bound function: that would be another one for who looks at its properties, or uses it as a class. */
  private method(value: Callable, key: PropertyKey): object {
    if (key === 'constructor') return value;
    let method = this.methods.get(value);
    if (!method) {
      method = new Proxy(value, {
        apply: (_, self, args: unknown[]) => this.call(value, `${String(key)}()`, self, args),
      });
      this.methods.set(value, method);
    }
    return method;
  }

  private call(method: Callable, use: string, self: unknown, args: unknown[]): unknown {
    this.used(use);
    const result: unknown = Reflect.apply(method, self === this.proxy ? this.target : self, args);
    // Chained calls go on with what the borrower has.
    return result === this.target ? this.proxy : result;
  }

  private used(what: PropertyKey, how = ''): void {
    if (!this.why) return;
    const error = this.why();
    error.cause ??= this.released;
    this.report(how + String(what), error.stack ?? '', this.released?.stack ?? '');
    throw error;
  }
}

/** May a proxy give something else for it? */
function isFixed(target: object, key: PropertyKey): boolean {
  const own = Reflect.getOwnPropertyDescriptor(target, key);
  return own?.configurable === false && own.writable === false;
}
