import { inspect } from 'node:util';
import pg, { type Client } from 'pg';
import type { Handle } from '../../engine/index.js';
import { lineage, method } from '../common/properties.js';
import type { Branch, Sender } from './branch.js';
import type { Session } from './session.js';

/** Where a handle keeps what it knows. Found through proxies, and by objects that inherit from a handle. */
const BORROW = Symbol('borrow');

/** One borrow of a client, from its first use to the end of its lease. */
export class Borrow implements Sender, Handle<Client> {
  /** Makes the error for what comes after the end; undefined before. */
  why: (() => Error) | undefined = undefined;
  /** To be called then; undefined as long as nobody wants to be. */
  whenOver: Set<() => void> | undefined = undefined;
  /** The transaction that it was made for. */
  at: Branch | undefined = undefined;
  alone = false;
  readonly resource: Client;

  constructor(
    readonly session: Session,
    Lent: LentClass,
  ) {
    this.resource = new Lent(this);
  }

  get unfinished(): boolean {
    return this.session.hasLostTransaction;
  }

  revoke(why: () => Error): void {
    this.why = why;
    if (this.whenOver) for (const over of this.whenOver) over();
    this.session.abandon(why);
  }
}

/** The borrow that a client stands for; undefined for a client that is no handle. */
export function borrowOf(client: unknown): Borrow | undefined {
  return (client as Partial<Lent> | undefined)?.[BORROW];
}

type Lent = Client & { [BORROW]: Borrow };
type LentClass = new (borrow: Borrow) => Lent;
type Method = (...args: unknown[]) => unknown;

/** A client that has stood for an earlier borrow stands for this one now. */
export function exchangeBorrow(client: Client, borrow: Borrow): void {
  (client as Lent)[BORROW] = borrow;
}

/**
 * What borrowers get in place of a client: an object of their own that inherits from it. It has all that a client has,
 * and is one by `instanceof`. Methods are called on the client itself. What a borrower puts on it (a patched `query`, a
 * property) stays there, and goes with it.
 */
export class Handles {
  private readonly Lent: LentClass;

  constructor(private readonly session: Session) {
    const { client } = session;
    // A constructor of its own for each client, since that makes the cheapest objects.
    function Lent(this: { [BORROW]: Borrow }, borrow: Borrow): void {
      this[BORROW] = borrow;
    }
    Lent.prototype = Object.create(client, forwarders(client)) as object;
    this.Lent = Lent as unknown as LentClass;
  }

  /** A client that can outlive its borrow: see {@link exchangeBorrow}. */
  lasting(borrow: Borrow): Client {
    return new this.Lent(borrow);
  }

  make(): Handle<Client> {
    return new Borrow(this.session, this.Lent);
  }
}

const cache = new WeakMap<object, PropertyDescriptorMap>();

/** The methods of pg itself. Those that an application has added to its prototype are to work with the handle. */
const PG_METHODS: ReadonlySet<string> = new Set(
  [...lineage(pg.Client.prototype as object)].flatMap(kind => Object.getOwnPropertyNames(kind)),
);

/** Every method that a client has of pg, to be called on the client. */
function forwarders(client: Client): PropertyDescriptorMap {
  const kind = Object.getPrototypeOf(client) as object;
  let made = cache.get(kind);
  if (!made) {
    made = {};
    for (const from of lineage(kind)) {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
        if (typeof value !== 'function' || name === 'constructor' || !PG_METHODS.has(name)) continue;
        made[name] ??= method(forward(name));
      }
    }
    made.query = method(query);
    // Otherwise an empty object would be shown.
    Object.assign(made, {
      // Of a prototype, which is shown as it is, there is none.
      [inspect.custom]: method(function (this: Partial<Lent>) {
        return this[BORROW]?.session.client ?? this;
      }),
    });
    cache.set(kind, made);
  }
  return made;
}

function query(this: Lent, config: unknown, values?: unknown, callback?: unknown): unknown {
  const borrow = this[BORROW];
  const { session, why } = borrow;
  return why
    ? session.refuse(why(), config, values, callback)
    : session.query(query, config, values, callback, borrow);
}

function forward(name: string): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    const client = session.client as unknown as Record<string, Method>;
    if (why && !HARMLESS.has(name)) return refuse(this, name, why(), args);
    const result = client[name]!(...args);
    return result === client ? this : result;
  };
}

/** They change nothing, so they may be called at any time. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...['listenerCount', 'listeners', 'rawListeners', 'eventNames', 'getMaxListeners'],
  ...['getTypeParser', 'getTransactionStatus', 'escapeIdentifier', 'escapeLiteral'],
]);
/** There is nothing left to remove; those who clean up need not hear of it. */
const CLEANING: ReadonlySet<string> = new Set(['off', 'removeListener', 'removeAllListeners']);
/** They tell their errors by promise or callback. */
const ASYNCHRONOUS: ReadonlySet<string> = new Set(['end', 'connect']);

/** The lease has ended. What has no other way to say so throws. */
function refuse(lent: Lent, name: string, error: Error, args: unknown[]): unknown {
  if (CLEANING.has(name)) return lent;
  if (!ASYNCHRONOUS.has(name)) throw error;
  const [callback] = args;
  if (typeof callback !== 'function') return Promise.reject(error);
  process.nextTick(callback, error);
  return undefined;
}
