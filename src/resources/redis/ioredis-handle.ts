import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import type { Redis, RedisOptions } from 'ioredis';
import type { Handle, LeaseReleasedError } from '../../engine/index.js';
import { method } from '../common/properties.js';
import { POOLS_OWN } from './ioredis-options.js';
import type { IoredisSession } from './ioredis-session.js';

const BORROW = Symbol('borrow');

interface Command {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly promise: Promise<unknown>;
  reject(error: Error): void;
}

type Method = (...args: unknown[]) => unknown;

/** What a client keeps on itself, and each borrower shall have to himself. */
interface Lent {
  [BORROW]: Borrow;
  options: RedisOptions;
  scriptsSet: object;
  addedBuiltinSet: Set<string>;
  _autoPipelines?: Map<string, unknown>;
  _runningAutoPipelines?: Set<string>;
}

/** One borrow of a client, from its first use to the end of its lease. */
class Borrow implements Handle<Redis> {
  readonly resource: Redis;
  /** Makes the error for what comes after the end; undefined before. */
  why: (() => LeaseReleasedError) | undefined = undefined;
  /** Connections that MONITOR has made beside this one. */
  readonly monitors: Redis[] = [];

  constructor(
    Kind: new (borrow: Borrow) => Lent,
    readonly session: IoredisSession,
  ) {
    this.resource = new Kind(this) as unknown as Redis;
  }

  revoke(why: () => LeaseReleasedError): void {
    this.why = why;
    for (const monitor of this.monitors) monitor.disconnect();
    this.session.abandon();
  }
}

/**
 * What borrowers get in place of the clients of one pool: objects with the methods of a client, which have its properties
 * for theirs. All that sends commands goes through their `sendCommand`: commands, pipelines, transactions, scripts and
 * scans, also those that were made before the lease has ended and run later.
 *
 * They are all of one kind, and do not inherit from their clients: what V8 has learnt from one is true of all of them.
 */
export class IoredisHandles {
  private kind: (new (borrow: Borrow) => Lent) | undefined = undefined;

  make(session: IoredisSession): Handle<Redis> {
    return new Borrow((this.kind ??= kindOf(session.client)), session);
  }
}

/** @param model a client: all of one pool have the same properties, and the same scripts */
function kindOf(model: Redis): new (borrow: Borrow) => Lent {
  const queues = model.options.enableAutoPipelining;
  function Kind(this: Lent, borrow: Borrow): void {
    this[BORROW] = borrow;
    this.options = borrow.session.client.options;
    if (!queues) return;
    // Commands that wait to be sent together are their borrower's.
    this._autoPipelines = new Map();
    this._runningAutoPipelines = new Set();
  }
  const own = Object.getOwnPropertyNames(model)
    .filter(name => name !== 'options' && !name.endsWith('AutoPipelines') && name !== '_autoPipelines')
    .map(name => [name, property(name, model)]);
  const methods = { ...(Object.fromEntries(own) as PropertyDescriptorMap), ...OVERRIDES };
  Kind.prototype = Object.create(Object.getPrototypeOf(model) as object, methods) as object;
  return Kind as unknown as new (borrow: Borrow) => Lent;
}

/** What is written stays with the borrower. A function is a script, which sends by what it is called on. */
function property(name: string, model: object): PropertyDescriptor {
  const value = (model as Record<string, unknown>)[name];
  if (typeof value === 'function') return method(value);
  return {
    configurable: true,
    get(this: Lent): unknown {
      return (this[BORROW].session.client as unknown as Record<string, unknown>)[name];
    },
    set(this: Lent, written: unknown): void {
      Object.defineProperty(this, name, method(written));
    },
  };
}

function sendCommand(this: Lent, command: Command, ...rest: unknown[]): unknown {
  const { session, why } = this[BORROW];
  if (why) {
    command.reject(why());
    return command.promise;
  }
  session.trace.note(command.name, command.args);
  return (session.client as unknown as Record<'sendCommand', Method>).sendCommand(command, ...rest);
}

/** They change nothing, so they may be called at any time. */
const HARMLESS: ReadonlySet<string> = new Set([
  'listenerCount',
  'listeners',
  'rawListeners',
  'eventNames',
  'getMaxListeners',
]);
/** There is nothing left to remove; those who clean up need not hear of it. */
const CLEANING: ReadonlySet<string> = new Set([
  ...['off', 'removeListener', 'removeAllListeners', 'disconnect', 'end'],
]);

/** A method that is to be called on the client itself, since it changes it. */
function forward(name: string): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    if (why && !HARMLESS.has(name)) {
      if (CLEANING.has(name)) return this;
      throw why();
    }
    const client = session.client as unknown as Record<string, Method>;
    const result = client[name]!(...args);
    return result === client ? this : result;
  };
}

function disconnect(this: Lent): void {
  const { session, why } = this[BORROW];
  if (why) return;
  session.spoil(new Error('the borrower has ended the connection'));
  session.client.disconnect();
}

/** The library's own defaults of what the pool decides. */
const USUAL = Object.fromEntries(POOLS_OWN.map(option => [option, undefined]));

/** A client of the borrower's own: it reconnects and queues as those of ioredis do. */
function duplicate(this: Lent, override?: object): Redis {
  const { session, why } = this[BORROW];
  if (why) throw why();
  return session.client.duplicate({ ...USUAL, ...override });
}

/** Tells its errors by promise or callback. */
function refusing(name: string, work: (lent: Lent, args: unknown[]) => unknown): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { why } = this[BORROW];
    if (!why) return work(this, args);
    const callback = args.find(arg => typeof arg === 'function') as Method | undefined;
    if (!callback) return Promise.reject(why());
    process.nextTick(callback, why());
    return undefined;
  };
}

/** It is a connection of its own that nobody else would close. */
async function monitor(lent: Lent): Promise<Redis> {
  const borrow = lent[BORROW];
  const made = await borrow.session.client.monitor();
  if (borrow.why) {
    made.disconnect();
    throw borrow.why();
  }
  borrow.monitors.push(made);
  return made;
}

/** What a borrower defines is not there for the next. */
function define(name: 'defineCommand' | 'addBuiltinCommand'): Method {
  return function (this: Lent, ...args: unknown[]): unknown {
    const { session, why } = this[BORROW];
    if (why) throw why();
    if (!Object.hasOwn(this, 'scriptsSet')) {
      this.scriptsSet = { ...this.scriptsSet };
      this.addedBuiltinSet = new Set(this.addedBuiltinSet);
    }
    return (session.client as unknown as Record<string, Method>)[name]!.apply(this, args);
  };
}

const OVERRIDES: PropertyDescriptorMap = Object.fromEntries(
  Object.entries({
    ...Object.fromEntries(
      Object.keys(EventEmitter.prototype)
        .filter(name => typeof EventEmitter.prototype[name as 'on'] === 'function')
        .map(name => [name, forward(name)]),
    ),
    sendCommand,
    disconnect,
    end: disconnect,
    duplicate,
    connect: refusing('connect', ({ [BORROW]: { session } }, args) =>
      session.client.connect(...(args as [])),
    ),
    monitor: refusing('monitor', (lent, [callback]) => {
      const made = monitor(lent);
      if (typeof callback !== 'function') return made;
      made.then(
        value => process.nextTick(callback as Method, null, value),
        (error: unknown) => process.nextTick(callback as Method, error),
      );
      return undefined;
    }),
    defineCommand: define('defineCommand'),
    addBuiltinCommand: define('addBuiltinCommand'),
    // Otherwise an empty object would be shown.
    [inspect.custom]: undefined,
  }).map(([name, value]) => [name, method(value)]),
);
Object.assign(OVERRIDES, {
  // Of a prototype, which is shown as it is, there is none.
  [inspect.custom]: method(function (this: Partial<Lent>) {
    return this[BORROW]?.session.client ?? this;
  }),
});
