import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import type { Handle, LeaseReleasedError } from '../../engine/index.js';
import type { AnyClient, NodeRedisSession } from './node-redis-session.js';

const BORROW = Symbol('borrow');
const TARGET = Symbol('target');

/** One borrow of a client, from its first use to the end of its lease. */
interface Borrow {
  readonly session: NodeRedisSession;
  /** Makes the error for what comes after the end; undefined before. */
  why: (() => LeaseReleasedError) | undefined;
}

type Method = (...args: unknown[]) => unknown;
/** `TARGET` is the client, or what that has made to have other options of commands. */
type Lent = AnyClient & { [BORROW]: Borrow; [TARGET]: AnyClient };

/**
 * What borrowers get in place of a client: an object of their own that inherits from it. Its methods are called on the
 * client itself, and refused when the lease has ended.
 */
export class NodeRedisHandles {
  private readonly Lent: new (borrow: Borrow) => Lent;

  constructor(private readonly session: NodeRedisSession) {
    const { client } = session;
    // A constructor of its own for each client, since that makes the cheapest objects.
    function Lent(this: { [BORROW]: Borrow }, borrow: Borrow): void {
      this[BORROW] = borrow;
    }
    const methods = { ...forwarders(session.real), [TARGET]: method(client) };
    Lent.prototype = Object.create(client, methods) as object;
    this.Lent = Lent as unknown as new (borrow: Borrow) => Lent;
  }

  make(): Handle<AnyClient> {
    const { session } = this;
    const borrow: Borrow = { session, why: undefined };
    return {
      resource: new this.Lent(borrow),
      revoke: why => {
        borrow.why = why;
        session.abandon();
      },
    };
  }
}

const cache = new WeakMap<object, PropertyDescriptorMap>();

/** Every method that a client has, whether of its class or its own. */
function forwarders(real: AnyClient): PropertyDescriptorMap {
  const kind = Object.getPrototypeOf(real) as object;
  let made = cache.get(kind);
  if (made) return made;
  made = {};
  for (const from of lineage(real)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (typeof value !== 'function' || /^(constructor|Multi)$/.test(name)) continue;
      made[name] ??= method(forward(name));
    }
  }
  // Otherwise an empty object would be shown.
  Object.assign(made, {
    [inspect.custom]: method(function (this: Lent) {
      return this[BORROW].session.real;
    }),
  });
  cache.set(kind, made);
  return made;
}

/** An object and its prototypes, but for the last of all, which is that of every object. */
function* lineage(from: object): Generator<object> {
  for (
    let above = Object.getPrototypeOf(from) as object | null;
    above;
    above = Object.getPrototypeOf(above) as object | null
  ) {
    yield from;
    from = above;
  }
}

function method(value: unknown): PropertyDescriptor {
  return { value, writable: true, configurable: true, enumerable: false };
}

/** What they make sends later, and has to ask the handle then. */
const LASTING = /^(multi|legacy)$|Iterator$/i;
/** They make another view of the same client. */
const VIEWS = /^(with[A-Z].*|asap|_commandOptionsProxy)$/;
/** They end the connection. */
const ENDING = /^(quit|disconnect|close|destroy)$/i;
/** They go to the queue of commands directly; what they do is not seen there. */
const UNSEEN: ReadonlyMap<string, string> = new Map([
  ['MONITOR', 'monitor'],
  ['monitor', 'monitor'],
  ['reset', 'reset'],
]);
/** As a plain command they would be answered in a way for which node-redis is not prepared. */
const SUBSCRIBES = /^[ps]?subscribe$/i;

/** They change nothing, so they may be called at any time. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...['listenerCount', 'listeners', 'rawListeners', 'eventNames', 'getMaxListeners', 'getPubSubListeners'],
]);
/** There is nothing left to remove; those who clean up need not hear of it. */
const CLEANING: ReadonlySet<string> = new Set(['off', 'removeListener', 'removeAllListeners', 'destroy']);
/** They tell their errors by throwing. */
const SYNCHRONOUS =
  /^(on|once|addListener|prependListener|prependOnceListener|emit|setMaxListeners|multi|legacy|asap|with[A-Z].*|duplicate|createPool|ref|unref|setDirtyWatch|_.*Proxy)$/i;

function forward(name: string): Method {
  if (name in EventEmitter.prototype) return forwardEvents(name);
  if (name.endsWith('Iterator')) return iterate(name);
  if (LASTING.test(name)) return prepare(name);
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    const target = this[TARGET] as unknown as Record<string, Method>;
    if (why && !HARMLESS.has(name)) return refuse(this, name, why());
    if (ENDING.test(name)) session.spoil(new Error('the borrower has ended the connection'));
    const seen = UNSEEN.get(name);
    if (seen !== undefined) session.trace.note(seen, []);
    if (name === 'sendCommand' && Array.isArray(args[0]) && SUBSCRIBES.test(String(args[0][0]))) {
      session.trace.spoilt = true;
    }
    const result = target[name]!(...args);
    if (isPromise(result)) session.follow(result);
    else if (VIEWS.test(name)) return view(this, result as AnyClient);
    return result === target || result === session.real ? this : result;
  };
}

/** The client itself has the listeners, whatever view of it they were added to. */
function forwardEvents(name: string): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    if (why && !HARMLESS.has(name)) return refuse(this, name, why());
    const real = session.real as unknown as Record<string, Method>;
    const result = real[name]!(...args);
    return result === real ? this : result;
  };
}

/** Called on the handle, so that what it makes sends by the handle. */
function prepare(name: string): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { why } = this[BORROW];
    if (why) throw why();
    return (this[TARGET] as unknown as Record<string, Method>)[name]!.apply(this, args);
  };
}

function iterate(name: string): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    return (this[TARGET] as unknown as Record<string, Method>)[name]!.apply(this, args);
  };
}

function view(lent: Lent, made: AnyClient): Lent {
  const methods = { ...forwarders(lent[BORROW].session.real), [TARGET]: method(made) };
  const other = Object.create(made, methods) as Lent;
  other[BORROW] = lent[BORROW];
  return other;
}

/** The lease has ended. What has no other way to say so throws. */
function refuse(lent: Lent, name: string, error: LeaseReleasedError): unknown {
  if (CLEANING.has(name)) return lent;
  if (SYNCHRONOUS.test(name)) throw error;
  return Promise.reject(error);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Partial<Promise<unknown>> | undefined)?.then === 'function';
}
