import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { neutrally } from '../../engine/basics/neutral.js';
import type { Handle } from '../../engine/index.js';
import { whileRunning } from '../common/hooks.js';
import { Listeners } from '../common/listeners.js';
import type { Sender } from './branch.js';
import { Condition, type SessionReset } from './condition.js';
import { endsSession, type ServerError } from './errors.js';
import { Handles, type Borrow } from './handle.js';
import { NamedStatements, type Wire } from './named-statements.js';
import { RoleWatch } from './role-watch.js';
import { rollbackAndDiscard } from './rollback.js';
import type { Traces } from './statements.js';
import { Transactions, type Admission, type TransactionStatus } from './transactions.js';
import { Turns, type Send } from './turns.js';

/** Who asks the server to cancel what a session does. */
export interface Canceller {
  /** Resolves when the request cannot hit anything any more that is sent later; to false when that is not known. */
  cancel(session: Session): Promise<boolean>;
}

/** What the server reports of one of its parameters. */
interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

/** The server refuses to write: read_only_sql_transaction. */
const READ_ONLY = '25006';

/**
 * What the pool knows of one client beyond what the client tells: what its session has been through since it was last
 * clean, who listens to it, and whether it is still of use. It takes the place of `client.query` to see the texts
 * that are sent, and of `client.end` to see a borrower end it.
 */
export class Session {
  /** The server has closed its end, or the socket is gone. */
  ended = false;
  /** The server has said that it is about to close its end. */
  dismissed = false;
  /**
   * The session is over, or about to be: by the server's word, or by that of its socket. An error that a borrower has seen
   * says nothing of the kind, as it may be that of another connection.
   */
  broken = false;
  private readonly turns: Turns;
  /** @internal */
  readonly transactions: Transactions;
  private readonly named: NamedStatements;
  private readonly handles: Handles;
  /** What has happened to its socket, or what the server has said as it ended the session. */
  fault: Error | undefined = undefined;
  private readonly listeners: Listeners;
  /** The user's `onCreate`. */
  private foundation: (() => unknown) | undefined = undefined;
  /** It is at work: what it does is the session's own. */
  private founding = false;
  /** The user's `onBorrow`, for who has it now. */
  private occupation: (() => unknown) | undefined = undefined;
  /** A hook is at work, and nobody else has the session. */
  private hooked = false;
  renewed = false;
  readonly condition: Condition;
  private transaction: TransactionStatus = 'I';
  /** What the server is. */
  readonly role = new RoleWatch();
  /** Nobody has it, and nothing of its last borrower is left. */
  private atRest = false;
  /** Tells the pool that it is of no use. Not one that is tried while others still can be. */
  private invalidate: ((cause?: unknown) => void) | undefined = undefined;
  /** Told when the server is not any more what it was wanted for. */
  private roleLost: ((why: Error) => void) | undefined = undefined;
  /** Nothing can make it fit for another borrower. */
  private spoilt = false;
  private readonly whenEnded: (() => void)[] = [];

  constructor(
    readonly client: Client,
    mode: SessionReset,
    private readonly canceller: Canceller,
    traces: Traces,
  ) {
    const send = client.query.bind(client) as Send;
    const end = client.end.bind(client) as (callback?: unknown) => unknown;
    const setTypeParser = client.setTypeParser.bind(client) as (...args: unknown[]) => unknown;
    this.condition = new Condition(mode, traces);
    this.turns = new Turns(client, send);
    this.transactions = new Transactions(() => this.turns.idle, client.pipeline);
    this.named = new NamedStatements(client, this.wire);
    const query = (config: unknown, values?: unknown, callback?: unknown): unknown =>
      this.query(query, config, values, callback);
    Object.assign(client, {
      query,
      end: (callback?: unknown) => {
        this.spoil(new Error('the borrower has ended the connection'));
        return end(callback);
      },
      // Only a new client has the parsers of a new client.
      setTypeParser: (...args: unknown[]) => {
        if (!this.founding) this.spoilt = true;
        return setTypeParser(...args);
      },
    });
    this.watch();
    this.listeners = new Listeners(client);
    this.handles = new Handles(this);
  }

  /** Somebody has it from now on. Calls the user's `onBorrow` for whoever that is. */
  occupy(work: () => unknown): unknown {
    this.atRest = false;
    this.occupation = work;
    return this.observe(work);
  }

  /** Calls a hook of the user's, whose transaction is that of the whole borrow. */
  observe(work: () => unknown): unknown {
    this.hooked = true;
    return whileRunning(work, () => {
      this.hooked = false;
    });
  }

  /**
   * Calls the user's `onCreate`: what that sends leaves no trace, its listeners stay, and its type parsers spoil nothing.
   * When it is called again, its listeners of the last time have gone before.
   *
   * @throws what it throws, and an error when it has left a transaction open
   */
  async found(work: () => unknown): Promise<void> {
    this.foundation = work;
    this.founding = true;
    this.renewed = this.atRest = false;
    try {
      await work();
      if (!this.turns.idle) await new Promise<void>(resolve => this.turns.onIdle(resolve));
    } finally {
      this.founding = false;
    }
    if (this.transaction !== 'I') throw new Error('onCreate has left a transaction open');
    this.condition.begin();
    this.listeners.keep();
    this.atRest = true;
  }

  /** What the next borrower gets in place of the client. */
  lend(): Handle<Client> {
    this.atRest = false;
    return this.handles.make();
  }

  /**
   * Takes the place of `client.query`.
   *
   * @param entry the function that the borrower has called
   * @param from what the borrower has called it on; undefined for the client itself
   */
  query(entry: unknown, config: unknown, values?: unknown, callback?: unknown, from?: Sender): unknown {
    const text = this.textOf(config);
    if (typeof text !== 'string') {
      if (!this.founding) this.condition.sent(undefined, false);
      return this.turns.query(config, values, callback, this.admission('', entry, from));
    }
    if (this.broken) this.transactions.lost(text);
    // What is rolled back with a transaction of the whole borrow does not last.
    if (!this.founding) this.condition.sent(text, !this.transactions.isOpen);
    return this.turns.query(config, values, callback, this.admission(text, entry, from));
  }

  private admission(text: string, entry: unknown, from: Sender | undefined): Admission | undefined {
    if (this.hooked || this.founding) return this.transactions.ofHook(text, entry);
    return this.transactions.admission(text, entry, from);
  }

  /** What a borrower gets that has the same object each time, for as long as the session is the same. */
  lendLasting(borrow: Borrow): Client {
    return this.handles.lasting(borrow);
  }

  /**
   * Makes it a new session for its borrower, whoever has set it up. The hooks are called again, as what they did is undone.
   *
   * @returns false, or rejects, when that cannot be done
   */
  async renew(): Promise<boolean> {
    const { foundation, occupation } = this;
    const done = await this.scrub(true);
    if (done && foundation) await neutrally(() => this.found(foundation));
    if (done && occupation) await neutrally(() => this.occupy(occupation));
    this.atRest = false;
    return done;
  }

  /** The listeners that there are now stay until the session is another. */
  keepListeners(): void {
    this.listeners.keep();
  }

  /** Answers a query with an error, in the way of that query, and sends nothing. */
  refuse(error: Error, config: unknown, values?: unknown, callback?: unknown): unknown {
    return this.turns.refuse(error, config, values, callback);
  }

  /** Was a transaction open when the connection broke, which nobody has tried to end since? */
  get hasLostTransaction(): boolean {
    return this.broken && this.transactions.isOpen;
  }

  /** Its borrower has gone: nothing more of it is sent. */
  abandon(why: () => Error): void {
    this.transactions.renew();
    this.turns.abandon(why);
  }

  private get wire(): Wire {
    return this.client.connection as unknown as Wire;
  }

  /**
   * Makes the session as good as new. Nothing to do is the usual case: then it returns at once and sends nothing.
   *
   * @returns false, or rejects, when that cannot be done
   */
  reset(): boolean | Promise<boolean> {
    if (!this.listeners.clean()) this.spoilt = true;
    this.occupation = undefined;
    if (this.turns.idle) return this.clean();
    // The borrower did not wait for its last query. That ends, or else the limit of the reset is reached.
    this.turns.abandon(() => new Error('The connection was given back before this was done'));
    return new Promise<void>(resolve => {
      this.turns.onIdle(resolve);
    }).then(() => this.clean());
  }

  /** A round trip that makes the server do next to nothing: half the price of `SELECT 1`. */
  async ping(): Promise<void> {
    await this.run('');
  }

  /** Is a query running, or is it not known yet whether the next one could be? */
  get busy(): boolean {
    return !this.turns.idle;
  }

  /** Is a query running that could be cancelled? */
  get running(): boolean {
    return this.turns.running;
  }

  /**
   * Cancels at the server what is running, if anything is. What comes next waits until the request cannot hit it any more.
   *
   * @param why makes the error for what still waits for its turn; without it that goes on waiting
   */
  interrupt(why?: () => Error): void {
    if (why) this.turns.drop(why);
    if (this.ended || !this.turns.running || this.turns.held) return;
    const cancelled = this.canceller.cancel(this).then(sure => {
      if (!sure) this.spoil(new Error('the server has not answered a request to cancel'));
    });
    this.turns.hold(cancelled);
  }

  /** Does its socket keep the process from ending? One of somebody else's making may not know of such a thing. */
  holdProcess(hold: boolean): void {
    const { stream } = this.client.connection as unknown as { stream: Partial<Socket> };
    if (hold) stream.ref?.();
    else stream.unref?.();
  }

  /** The server's process. */
  get processId(): number | undefined {
    const { processID } = this.client as { processID?: unknown };
    return typeof processID === 'number' ? processID : undefined;
  }

  /** Resolves when the socket is closed: at once if it is already. */
  closed(): Promise<void> {
    return new Promise(resolve => {
      if (this.ended) resolve();
      else this.whenEnded.push(resolve);
    });
  }

  /** Nothing more is sent, and the callback is called when what was sent is done. */
  quiesce(done: () => void): void {
    const why = new Error('the pool has ended the connection');
    this.turns.close(why);
    this.turns.abandon(() => why);
    this.turns.onIdle(done);
  }

  private clean(): boolean | Promise<boolean> {
    if (this.spoilt) return false;
    const discard = this.condition.isUsed;
    if (this.transaction !== 'I' || discard || this.role.doubtful) return this.scrub(discard);
    return (this.atRest = true);
  }

  private async scrub(discard: boolean): Promise<boolean> {
    if (discard) {
      this.condition.discard();
      this.renewed = true;
      if (this.transaction === 'I') await this.run('DISCARD ALL');
      else await rollbackAndDiscard(query => this.turns.query(query));
      this.condition.renew();
      // pg believes that the server still knows the statements that were prepared by name.
      this.named.clear();
      if (!this.listeners.renew()) this.spoilt = true;
    } else if (this.transaction !== 'I') await this.run('ROLLBACK');
    if (this.role.doubtful) await this.checkRole();
    return (this.atRest = !this.spoilt);
  }

  /** @throws when the server, and not a borrower, has changed what it is */
  private async checkRole(): Promise<void> {
    const lost = await this.role.check(text => this.run(text));
    if (!lost) return;
    this.roleLost?.(lost);
    throw lost;
  }

  /** It is ready for its first borrower. From now on its pool is told when it is of no use any more. */
  ready(invalidate: (cause?: unknown) => void, roleLost: (why: Error) => void): void {
    this.invalidate = invalidate;
    this.roleLost = roleLost;
    this.condition.begin();
    this.atRest = true;
    if (this.spoilt) invalidate(new Error('the connection is closed'));
  }

  /** Another session with the same server has found out that it is not any more what it is wanted for. */
  mistrust(why: Error): void {
    if (!this.role.matters) return;
    if (this.atRest) this.spoil(why);
    else this.spoilt = true;
  }

  /** @internal A statement of the pool, which leaves no trace and takes its turn. */
  run(text: string, admission?: Admission): Promise<unknown> {
    return this.send(text, admission) as Promise<unknown>;
  }

  /** @internal As {@link run}, for a query that is an object. */
  send(query: unknown, admission?: Admission): unknown {
    return this.turns.query(query, undefined, undefined, admission);
  }

  /** @internal Of whatever `client.query` takes; undefined when it has none. */
  textOf(config: unknown): unknown {
    if (typeof config !== 'object' || config === null) return config;
    const { text, name, cursor } = config as { text?: unknown; name?: unknown; cursor?: { text?: unknown } };
    return text ?? cursor?.text ?? (typeof name === 'string' ? this.named.textOf(name) : undefined);
  }

  private watch(): void {
    const { client, wire } = this;
    const sync = wire.sync.bind(wire);
    wire.sync = () => {
      this.turns.asked();
      sync();
    };
    wire.prependListener('readyForQuery', (message: { status: TransactionStatus }) => {
      this.transaction = message.status;
      this.condition.answered();
      this.transactions.answered(message.status, false);
      this.turns.answered();
    });
    wire.on('parameterStatus', ({ parameterName, parameterValue }: ParameterStatus) => {
      this.role.told(parameterName, parameterValue);
      this.condition.told(parameterName, parameterValue);
      const lost = this.atRest ? this.role.lost : undefined;
      if (!lost) return;
      this.spoil(lost);
      this.roleLost?.(lost);
    });
    wire.on('errorMessage', (error: ServerError) => {
      if (error.code === READ_ONLY) this.role.refusedToWrite();
      this.named.failed(error);
      if (!endsSession(error)) return;
      // Do not wait until it has.
      this.dismissed = this.broken = true;
      this.spoil(error);
    });
    wire.on('end', () => {
      this.ended = this.broken = true;
      this.spoil(new Error('the connection is closed'));
      this.turns.end();
      for (const resolve of this.whenEnded.splice(0)) resolve();
      this.releaseCursors();
    });
    // Without a listener an `error` event would end the process.
    client.on('error', error => {
      this.fault ??= error;
      this.broken = true;
      this.spoil(error);
    });
    client.on('drain', () => {
      this.transactions.answered(this.transaction, true);
      this.turns.next();
    });
  }

  /**
   * A cursor or stream that is being closed waits for the server's answer, also when there is no server any more. It
   * would never emit `error` nor `close`, and whoever reads it would wait for ever before giving the connection back.
   */
  private releaseCursors(): void {
    const { wire } = this;
    for (const listener of wire.rawListeners('readyForQuery')) {
      // They listen once, in which they differ from pg and from us.
      if ('listener' in listener) process.nextTick(listener);
    }
    wire.on('newListener', (event, listener: () => void) => {
      if (event === 'readyForQuery') process.nextTick(listener);
    });
  }

  private spoil(cause: Error): void {
    this.spoilt = true;
    this.turns.close(cause);
    this.invalidate?.(cause);
  }
}
