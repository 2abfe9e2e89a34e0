import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { Connection as CoreConnection } from 'mysql2';
import mysql from 'mysql2';
import type { Handle } from '../../engine/index.js';
import { refuse, type Client, type Command, type Core, type Statement } from './core.js';
import type { Session } from './session.js';

/** Where a handle keeps what it knows. Found through proxies, and by objects that inherit from a handle. */
const BORROW = Symbol('borrow');

type Method = (...args: unknown[]) => unknown;
type Members = Record<PropertyKey, unknown>;

/** One borrow of a connection, from its first use to the end of its lease. */
export class Borrow {
  /** Makes the error for what comes after the end; undefined before. */
  why: (() => Error) | undefined = undefined;
  private core: CoreConnection | undefined = undefined;
  private emitter: EventEmitter | undefined = undefined;

  constructor(
    readonly session: Session,
    private readonly makeCore: (borrow: Borrow) => CoreConnection,
  ) {}

  /** The connection with callbacks: made when somebody asks for it, as few do. */
  get connection(): CoreConnection {
    return (this.core ??= this.makeCore(this));
  }

  /** Listeners belong to the borrow, and go with it. */
  get events(): EventEmitter {
    return (this.emitter ??= new EventEmitter());
  }

  /** Goes on with the listeners of an earlier borrow, of the same who keep them for the life of a connection. */
  adopt({ emitter }: Borrow): void {
    this.emitter = emitter;
  }

  /** Something has happened to the connection. */
  tell(event: string, args: unknown[]): void {
    if (this.emitter && this.emitter.listenerCount(event) > 0) this.emitter.emit(event, ...args);
  }
}

/** What mysql2's connections emit. Listeners to anything else are accepted, and never called. */
const EVENTS = ['connect', 'drain', 'end', 'enqueue', 'error', 'warn'];

/**
 * What borrowers get in place of a connection: an object of their own that inherits from it, and is one by `instanceof`.
 * Methods are called on the connection itself. What a borrower puts on it stays there, and goes with it.
 */
export class Handles {
  private readonly Lent: new (borrow: Borrow) => Client;
  private readonly makeCore: (borrow: Borrow) => CoreConnection;
  private current: Borrow | undefined = undefined;

  constructor(private readonly session: Session) {
    const { client, core } = session;
    // A constructor of its own for each connection, since that makes the cheapest objects.
    function Lent(this: { [BORROW]: Borrow }, borrow: Borrow): void {
      this[BORROW] = borrow;
    }
    Lent.prototype = Object.create(client, promiseMembers()) as object;
    this.Lent = Lent as unknown as new (borrow: Borrow) => Client;
    this.makeCore = borrow => makeLentCore(core, borrow);
    for (const event of EVENTS) {
      core.on(event, (...args: unknown[]) => this.current?.tell(event, args));
    }
  }

  make(): Handle<Client> {
    const { session } = this;
    const borrow = new Borrow(session, this.makeCore);
    this.current = borrow;
    return {
      resource: new this.Lent(borrow),
      get unfinished() {
        return session.hasLostTransaction;
      },
      revoke: why => {
        borrow.why = why;
        if (this.current === borrow) this.current = undefined;
        session.abandon(why);
      },
    };
  }
}

/** The borrow behind a handle. */
export function borrowOf(handle: unknown): Borrow | undefined {
  return (handle as { readonly [BORROW]?: Borrow } | undefined)?.[BORROW];
}

/** A connection with callbacks for one borrow, or for several after each other when its borrow is exchanged. */
export function makeLentCore(core: Core, borrow: Borrow): CoreConnection {
  const lent = Object.create(core, coreMembers()) as CoreConnection;
  exchangeBorrow(lent, borrow);
  return lent;
}

export function exchangeBorrow(lent: CoreConnection, borrow: Borrow): void {
  (lent as unknown as { [BORROW]: Borrow })[BORROW] = borrow;
}

/** They answer with a promise. */
const PROMISING = ['beginTransaction', 'commit', 'rollback', 'ping', 'reset'].concat([
  ...['changeUser', 'end', 'connect'],
]);
/** They act at once, and have no other way to tell of an error than to throw it. */
const ACTING = ['destroy', 'close', 'pause', 'resume', 'unprepare', 'createBinlogStream', 'pipe'];
/** They change nothing, so they may be called at any time. */
const HARMLESS = ['escape', 'escapeId', 'format', 'raw'];
/** They answer by callback, the last of their arguments. */
const CALLING_BACK = [
  'beginTransaction',
  'commit',
  'rollback',
  'ping',
  'reset',
  'changeUser',
  'end',
  'connect',
];

const EMITTING = Object.getOwnPropertyNames(EventEmitter.prototype).filter(
  name => !name.startsWith('_') && name !== 'constructor',
);

/** Those of them that would come too late; to look, and to remove what is gone anyway, does no harm. */
const TELLING: ReadonlySet<string> = new Set([
  ...['on', 'once', 'addListener', 'prependListener', 'prependOnceListener', 'emit', 'setMaxListeners'],
]);

let forPromises: PropertyDescriptorMap | undefined;
let forCallbacks: PropertyDescriptorMap | undefined;

/** What a handle has in place of the members of mysql2's promise connection. */
function promiseMembers(): PropertyDescriptorMap {
  if (forPromises) return forPromises;
  const members = common();
  for (const name of ['query', 'execute'] as const) {
    // As plain as it can be: nearly all that is done with a connection is one of the two.
    members[name] = function (this: object, sql: string, values?: unknown): unknown {
      const { session, why } = owner(this);
      if (why) return Promise.reject(why());
      if (session.broken) acknowledge(session, name, [sql]);
      const client = session.client as unknown as Record<typeof name, Method>;
      return client[name](sql, values);
    };
  }
  for (const name of PROMISING) {
    members[name] = function (this: object, ...args: unknown[]): unknown {
      const { session, why } = owner(this);
      if (why) return Promise.reject(why());
      acknowledge(session, name, args);
      return call(session.client, name, args);
    };
  }
  for (const name of ACTING) members[name] = acting(name, session => session.client);
  for (const name of HARMLESS) members[name] = harmless(name, session => session.client);
  members.prepare = async function (this: object, options: unknown): Promise<unknown> {
    const borrow = owner(this);
    if (borrow.why) throw borrow.why();
    const prepared = (await call(borrow.session.client, 'prepare', [options])) as {
      statement: Statement;
    };
    prepared.statement = lendStatement(prepared.statement, borrow, options);
    return prepared;
  };
  members[Symbol.asyncDispose] = function (this: { end(): unknown }): unknown {
    return this.end();
  };
  forPromises = {
    ...methods(members),
    connection: getter(borrow => borrow.connection),
    config: getter(configOf),
    threadId: getter(({ session }) => session.core.threadId),
  };
  return forPromises;
}

/** The same for mysql2's connection with callbacks. */
function coreMembers(): PropertyDescriptorMap {
  if (forCallbacks) return forCallbacks;
  const members = common();
  for (const name of ['query', 'execute']) {
    members[name] = function (this: object, ...args: unknown[]): unknown {
      const { session, why } = owner(this);
      if (why) return refuseStatement(session.core, args, why());
      acknowledge(session, name, args);
      return watchStreams(session, call(session.core, name, args) as Command);
    };
  }
  for (const name of CALLING_BACK) {
    members[name] = function (this: object, ...args: unknown[]): unknown {
      const { session, why } = owner(this);
      if (!why) {
        acknowledge(session, name, args);
        return call(session.core, name, args);
      }
      const callback = args.findLast(arg => typeof arg === 'function');
      if (!callback) throw why();
      process.nextTick(callback, why());
      return undefined;
    };
  }
  for (const name of ACTING) members[name] = acting(name, session => session.core);
  for (const name of HARMLESS) members[name] = harmless(name, session => session.core);
  members.prepare = function (this: object, options: unknown, callback?: Method): unknown {
    const borrow = owner(this);
    if (borrow.why) {
      if (!callback) throw borrow.why();
      process.nextTick(callback, borrow.why());
      return undefined;
    }
    return call(borrow.session.core, 'prepare', [
      options,
      (error: unknown, statement?: Statement) =>
        callback?.(error, statement && lendStatement(statement, borrow, options)),
    ]);
  };
  members.addCommand = function (this: object, command: Command): Command {
    const { session, why } = owner(this);
    if (!why) return session.core.addCommand(command);
    refuse(command, why());
    return command;
  };
  members.promise = function (this: CoreConnection, implementation?: unknown): unknown {
    const { Promise: PromiseConnection } = promiseConnection(owner(this).session);
    return new PromiseConnection(this, implementation);
  };
  members[Symbol.dispose] = function (this: { end(): unknown }): unknown {
    return this.end();
  };
  forCallbacks = {
    ...methods(members),
    config: getter(configOf),
    // mysql2's `promise()` calls some methods of the class by itself, which write here.
    _paused: {
      get(this: object) {
        return owner(this).session.core._paused;
      },
      set(this: object, paused: boolean) {
        const { session, why } = owner(this);
        if (why) throw why();
        Object.assign(session.core, { _paused: paused });
      },
    },
  };
  return forCallbacks;
}

/** What both have: their events, and how they are shown. */
function common(): Members {
  const members: Members = {
    [inspect.custom](this: object): unknown {
      return `MysqlConnection { threadId: ${String(owner(this).session.core.threadId)} }`;
    },
  };
  for (const name of EMITTING) {
    members[name] = function (this: object, ...args: unknown[]): unknown {
      const { events, why } = owner(this);
      if (why && TELLING.has(name)) throw why();
      const result = call(events, name, args);
      return result === events ? this : result;
    };
  }
  return members;
}

function owner(handle: object): Borrow {
  return (handle as { readonly [BORROW]: Borrow })[BORROW];
}

function call(target: unknown, name: string, args: unknown[]): unknown {
  return (target as Record<string, Method>)[name]!(...args);
}

function acting(name: string, target: (session: Session) => unknown): Method {
  return function (this: object, ...args: unknown[]): unknown {
    const { session, why } = owner(this);
    if (why) throw why();
    return call(target(session), name, args);
  };
}

function harmless(name: string, target: (session: Session) => unknown): Method {
  return function (this: object, ...args: unknown[]): unknown {
    return call(target(owner(this).session), name, args);
  };
}

function methods(members: Members): PropertyDescriptorMap {
  return Object.fromEntries(
    Reflect.ownKeys(members).map(name => [
      name,
      { value: members[name], writable: true, configurable: true, enumerable: false },
    ]),
  );
}

function getter(get: (borrow: Borrow) => unknown): PropertyDescriptor {
  return {
    get(this: object) {
      return get(owner(this));
    },
    configurable: true,
    enumerable: false,
  };
}

/** It is an object that can be changed, and applications do that. */
function configOf({ session }: Borrow): unknown {
  session.sawConfig();
  return session.core.config;
}

function acknowledge(session: Session, name: string, [first]: unknown[]): void {
  if (!session.broken) return;
  const text = typeof first === 'object' && first !== null ? (first as { sql?: unknown }).sql : first;
  session.acknowledge(name === 'commit' || name === 'rollback' ? name : String(text));
}

/** An error for a query of which nobody has made a command yet: it comes by callback, or else as an event. */
function refuseStatement(core: Core, [sql, values, callback]: unknown[], error: Error): unknown {
  const isCommand = typeof sql === 'object' && sql !== null && 'onResult' in sql;
  const command = (isCommand
    ? sql
    : mysql.Connection.createQuery(
        sql as string,
        values,
        ...([callback, core.config] as unknown as [undefined]),
      )) as unknown as Command;
  refuse(command, error);
  return command;
}

/** So that a stream of rows ends with its borrow. */
function watchStreams(session: Session, command: Command): Command {
  const make = command.stream;
  if (!make) return command;
  command.stream = function (options?: unknown): Readable {
    const stream = make.call(command, options);
    session.opened(stream);
    return stream;
  };
  return command;
}

/**
 * mysql2 keeps statements for the next who prepares the same text, also those that somebody has closed. Closing one takes it
 * out of there.
 */
function lendStatement(statement: Statement, borrow: Borrow, options: unknown): Statement {
  const { core } = borrow.session;
  return Object.create(statement, {
    execute: {
      value: (...args: unknown[]) => {
        if (!borrow.why) return statement.execute(...args);
        const callback = args.findLast(arg => typeof arg === 'function');
        return refuseStatement(core, [statement.query, callback], borrow.why());
      },
    },
    close: {
      value: () => {
        if (!borrow.why) call(core, 'unprepare', [options]);
      },
    },
  }) as Statement;
}

type PromiseConnection = new (core: CoreConnection, implementation?: unknown) => unknown;

/** mysql2's own class, which it does not export by every version. */
function promiseConnection({ client }: Session): { Promise: PromiseConnection } {
  return { Promise: client.constructor as PromiseConnection };
}
