import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import type { Handle, LeaseReleasedError } from '../../engine/index.js';
import { lineage, method } from '../common/properties.js';
import type { AnyClient, NodeRedisSession } from './node-redis-session.js';

const BORROW = Symbol('borrow');
const TARGET = Symbol('target');

type Method = (...args: unknown[]) => unknown;
type Kind = new (borrow: Borrow, target: Target) => Lent;
/** A client, or what that has made to have other options of commands. */
type Target = AnyClient & { readonly _commandOptions: unknown };

interface Lent {
  [BORROW]: Borrow;
  [TARGET]: Target;
  _self: AnyClient;
  _commandOptions: unknown;
}

/** One borrow of a client, from its first use to the end of its lease. */
class Borrow implements Handle<AnyClient> {
  readonly resource: AnyClient;
  /** Makes the error for what comes after the end; undefined before. */
  why: (() => LeaseReleasedError) | undefined = undefined;

  constructor(
    readonly kind: Kind,
    readonly session: NodeRedisSession,
  ) {
    this.resource = new kind(this, session.client as Target) as unknown as AnyClient;
  }

  revoke(why: () => LeaseReleasedError): void {
    this.why = why;
    this.session.abandon();
  }
}

/**
 * What borrowers get in place of the clients of one pool: objects that have all the methods of a client, which call it, and
 * are refused when the lease has ended.
 *
 * They are all of one kind, and do not inherit from their clients: what V8 has learnt from one is true of all of them.
 */
export class NodeRedisHandles {
  private kind: Kind | undefined = undefined;

  make(session: NodeRedisSession): Handle<AnyClient> {
    return new Borrow((this.kind ??= kindOf(session.real)), session);
  }
}

/** @param model a client: all of one pool have the same commands, modules and scripts */
function kindOf(model: AnyClient): Kind {
  function Lent(this: Lent, borrow: Borrow, target: Target): void {
    this[BORROW] = borrow;
    this[TARGET] = target;
    this._self = borrow.session.real;
    this._commandOptions = target._commandOptions;
  }
  const methods: PropertyDescriptorMap = {};
  for (const from of lineage(model)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (typeof value !== 'function' || /^(constructor|Multi)$/.test(name)) continue;
      // What is its own may be another for each client.
      methods[name] ??= method(forward(name, from === model ? undefined : (value as Method)));
    }
  }
  // Otherwise an empty object would be shown.
  Object.assign(methods, {
    [inspect.custom]: method(function (this: Lent) {
      return this._self;
    }),
  });
  Lent.prototype = Object.create(Object.getPrototypeOf(model) as object, methods) as object;
  return Lent as unknown as Kind;
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

/** @param known the method, when it is the same for all clients */
function forward(name: string, known: Method | undefined): Method {
  if (name in EventEmitter.prototype) return forwardEvents(name);
  if (name.endsWith('Iterator')) return iterate(name);
  if (LASTING.test(name)) return prepare(name);
  const ends = ENDING.test(name);
  const seen = UNSEEN.get(name);
  const views = VIEWS.test(name);
  const raw = name === 'sendCommand';
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    const target = this[TARGET];
    if (why && !HARMLESS.has(name)) return refuse(this, name, why());
    if (ends) session.spoil(new Error('the borrower has ended the connection'));
    if (seen !== undefined) session.trace.note(seen, []);
    if (raw && Array.isArray(args[0]) && SUBSCRIBES.test(String(args[0][0]))) session.trace.spoilt = true;
    const call = known ?? (target as unknown as Record<string, Method>)[name]!;
    const result = call.apply(target, args);
    if (isPromise(result)) session.follow(result);
    else if (views) return new this[BORROW].kind(this[BORROW], result as Target);
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

/** The lease has ended. What has no other way to say so throws. */
function refuse(lent: Lent, name: string, error: LeaseReleasedError): unknown {
  if (CLEANING.has(name)) return lent;
  if (SYNCHRONOUS.test(name)) throw error;
  return Promise.reject(error);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Partial<Promise<unknown>> | undefined)?.then === 'function';
}
