import type { Readable } from 'node:stream';
import type { Handle } from '../../engine/index.js';
import { startTimer, type Timer } from '../../engine/time/timer.js';
import { closed, refuse, textOf, type Client, type Command, type Core } from './core.js';
import { charsetClause } from './charset.js';
import { Handles } from './handle.js';
import { Trace, type Packet, type Sender } from './trace.js';

/**
 * What happens to the session between two borrowers:
 * - `auto`: `COM_RESET_CONNECTION` when it was changed, by the word of the server, or may have been; nothing when it was not
 * - `always`: `COM_RESET_CONNECTION` every time
 * - `never`: none
 */
export type SessionReset = 'auto' | 'always' | 'never';

type Callback = (error: Error | null, result?: unknown) => void;

/** Milliseconds in which what a borrower did not wait for may end by itself. */
const GRACE = 100;

const TRACKING = 'session_track_state_change = ON';

/** Is the server one that nobody can write to? Says nothing about the account, which may be one that can. */
const READ_ONLY = 'select @@global.read_only as r, @@global.innodb_read_only as i';

/**
 * What the pool knows of one connection beyond what mysql2 tells, and whether it is still of use. It takes the place of two methods of mysql2's connection: of `addCommand`, to see
 * what is sent, and of `handlePacket`, to see what the server says about the session.
 */
export class Session {
  /** The socket is gone. */
  ended = false;
  /**
   * The session is over, or about to be: by the server's word, or by that of its socket. An error that a borrower has seen
   * says nothing of the kind, as it may be that of another connection.
   */
  broken = false;
  /** The pool has begun one for the borrower. */
  begun = false;
  /** Somebody has had the configuration in hand, and may have changed it. */
  private configSeen = false;
  /** Nothing can make it fit for another borrower. */
  private spoilt = false;
  private readonly streams = new Set<Readable>();
  private readonly whenIdle: (() => void)[] = [];
  private readonly isMariadb: boolean;
  private readonly config: Readonly<Record<string, unknown>>;
  private readonly clientEncoding: string;
  private readonly resetSession: (callback: Callback) => void;
  private readonly handles: Handles;
  private readonly trace: Trace;
  renewed = false;
  /** Counts the sessions that this connection has had: each reset makes a new one. */
  generation = 0;

  constructor(
    readonly client: Client,
    readonly core: Core,
    private readonly mode: SessionReset,
    private readonly invalidate: (cause?: unknown) => void,
  ) {
    this.isMariadb = /mariadb/i.test(core._handshakePacket?.serverVersion ?? '');
    this.config = { ...core.config };
    this.clientEncoding = core.clientEncoding;
    this.resetSession = core.reset.bind(core) as (callback: Callback) => void;
    this.trace = new Trace(core);
    this.takePlace();
    this.watch();
    this.handles = new Handles(this);
  }

  /** What the next borrower gets in place of the connection. */
  lend(): Handle<Client> {
    return this.handles.make();
  }

  /** To be called once, before it is lent. */
  async begin(): Promise<void> {
    if (this.mode === 'auto') await this.track();
  }

  /**
   * A statement of the pool itself, which leaves no trace.
   *
   * @param queued sees the command: by its `next` it is known whether it was sent
   */
  run(text: string, sender: Sender = 'pool', queued?: (command: Command) => void): Promise<unknown> {
    return this.ask(callback => {
      const command: unknown = this.core.query(text, callback);
      queued?.(command as Command);
    }, sender);
  }

  async ping(): Promise<void> {
    await this.ask(callback => {
      this.core.ping(callback);
    });
  }

  /** Is a command running, or waiting? */
  get busy(): boolean {
    return Boolean(this.core._command) || this.core._commands.length > 0;
  }

  /** What is running now, if that is a statement. */
  get running(): string | undefined {
    return this.core._command ? textOf(this.core._command) : undefined;
  }

  /** Was a transaction open when the connection broke, which nobody has tried to end since? */
  get hasLostTransaction(): boolean {
    return this.broken && this.trace.inTransaction;
  }

  /** By the server's last word, whatever error has come since. */
  get isInTransaction(): boolean {
    return this.trace.isInTransaction;
  }

  /** An error has come since, by which the server may have ended the transaction. */
  get mayHaveEnded(): boolean {
    return this.trace.mayHaveEnded;
  }

  /** Somebody tries to end the transaction, and hears that the connection is broken. */
  acknowledge(text: string): void {
    if (this.broken && /^\s*(?:commit|rollback)\b/i.test(text)) this.trace.inTransaction = false;
  }

  /**
   * Calls the user's `onCreate`, which leaves no trace.
   *
   * @throws what it throws, and an error when it has left a transaction open
   */
  async found(work: () => unknown): Promise<void> {
    const { trace } = this;
    trace.founding = true;
    this.renewed = false;
    try {
      await work();
      await this.whenAtRest();
    } finally {
      trace.founding = false;
    }
    if (trace.inTransaction) throw new Error('onCreate has left a transaction open');
  }

  /** Something of the pool's own is left, which only a reset takes away. */
  leavesTrace(): void {
    this.trace.touched = true;
  }

  sawConfig(): void {
    this.configSeen = true;
  }

  /** A stream of rows: whoever reads it, the connection is held by it until it has ended. */
  opened(stream: Readable): void {
    this.streams.add(stream);
    stream.once('close', () => this.streams.delete(stream));
  }

  /** What is queued meanwhile makes the session what it is for everybody, and is no trace of a borrower. */
  setUp(queue: () => void): void {
    this.trace.sendAs('set-up', queue);
  }

  /** Its borrower has gone: what waits is not sent, and what is read from it ends. */
  abandon(why: () => Error): void {
    const { core, streams } = this;
    if (core._commands.length > 0) this.refuseWaiting(why);
    for (const stream of streams) {
      // It may well be that nobody listens any more.
      stream.on('error', () => undefined);
      stream.destroy(why());
    }
    if (core._paused && !this.ended) core.resume();
  }

  /**
   * Makes the session as good as new. Nothing to do is the usual case: then it returns at once and sends nothing.
   *
   * @returns false, or rejects, when that cannot be done
   */
  reset(): boolean | Promise<boolean> {
    return this.busy ? this.resetWhenIdle() : this.clean();
  }

  /** Resolves when nothing is running and nothing waits, or at the latest when the socket is closed. */
  whenAtRest(): Promise<void> {
    return new Promise(resolve => {
      if (this.ended || !this.busy) resolve();
      else this.whenIdle.push(resolve);
    });
  }

  closed(): Promise<void> {
    return closed(this.core);
  }

  /** The borrower did not wait for its last command. That gets a short time; longer ones cost the connection. */
  private async resetWhenIdle(): Promise<boolean> {
    let timer: Timer | undefined;
    const late = new Promise<void>(resolve => {
      timer = startTimer(() => resolve(), GRACE);
    });
    await Promise.race([this.whenAtRest(), late]);
    timer?.cancel();
    return !this.busy && this.clean();
  }

  private clean(): boolean | Promise<boolean> {
    if (this.spoilt) return false;
    if (this.configSeen) this.restoreConfig();
    const { mode, trace } = this;
    const renew = mode === 'always' || (mode === 'auto' && (trace.touched || !trace.tracked));
    if (!renew && !trace.inTransaction && !trace.cannotWrite) return true;
    return this.scrub(renew);
  }

  private async scrub(renew: boolean): Promise<boolean> {
    const { trace } = this;
    if (renew) await this.renew();
    else if (trace.inTransaction) {
      await this.run('ROLLBACK');
      // A server may tell only now what has changed before.
      if (this.mode === 'auto' && trace.touched) await this.renew();
    }
    trace.inTransaction = this.begun = false;
    if (trace.cannotWrite) await this.checkWritable();
    return !this.spoilt;
  }

  /** COM_RESET_CONNECTION, and what has to follow it for the session to be what it was at its beginning. */
  private async renew(): Promise<void> {
    const { core, config, trace } = this;
    await this.ask(this.resetSession);
    this.generation++;
    this.renewed = true;
    trace.touched = false;
    // The server goes back to the character set of the login; mysql2 still has that of the last SET NAMES.
    this.restoreConfig();
    if (trace.otherDatabase) {
      if (typeof config.database !== 'string' || config.database === '') {
        throw new Error('another database was chosen, and there was none at first');
      }
      await this.run(`USE ${core.escapeId([config.database])}`, 'set-up');
      trace.otherDatabase = false;
    }
    await this.track();
  }

  /** Has the server say from now on what changes, and finds out whether it does. */
  private async track(): Promise<void> {
    const { mode, isMariadb } = this;
    const clause = isMariadb || this.generation === 0 ? undefined : charsetClause(this.config.charsetNumber);
    const wanted = [clause, mode === 'auto' ? TRACKING : undefined].filter(part => part !== undefined);
    if (wanted.length === 0) return;
    await this.trace.track(async () => {
      try {
        await this.run(`SET ${wanted.join(', ')}`, 'set-up');
      } catch (error) {
        // A server that does not know of it: each borrower costs a reset.
        if (this.broken || clause !== undefined) throw error;
      }
    });
  }

  private restoreConfig(): void {
    const { core, config } = this;
    Object.assign(core.config, config);
    core.clientEncoding = this.clientEncoding;
    this.configSeen = false;
  }

  /** @throws when the server, and not the borrower, is why a statement could not write */
  private async checkWritable(): Promise<void> {
    const [row] = (await this.run(READ_ONLY)) as Record<'r' | 'i', unknown>[];
    if (isOn(row?.r) || isOn(row?.i)) throw new Error('the server has become read-only');
    this.trace.cannotWrite = false;
  }

  private ask(send: (callback: Callback) => void, sender: Sender = 'pool'): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.trace.sendAs(sender, () => {
        send((error, result) => {
          if (error) reject(error);
          else resolve(result);
        });
      });
    });
  }

  private takePlace(): void {
    const { core } = this;
    const addCommand = core.addCommand.bind(core);
    const handlePacket = core.handlePacket.bind(core);
    const reset = core.reset.bind(core);
    const changeUser = core.changeUser.bind(core);
    const end = core.end.bind(core) as (callback?: unknown) => unknown;
    const close = (core as unknown as { close(): void }).close.bind(core);
    const leave = (): void => {
      this.spoil(new Error('the borrower has ended the connection'));
    };
    Object.assign(core, {
      addCommand: (command: Command) => {
        this.trace.sees(command);
        return addCommand(command);
      },
      handlePacket: (packet?: Packet) => {
        if (packet) this.hears(packet);
        handlePacket(packet);
        if (this.whenIdle.length > 0 && !this.busy) this.tellIdle();
      },
      // By a borrower: then the server does not say any more what changes.
      reset: (callback?: Callback) => {
        this.trace.touched = true;
        reset(callback);
      },
      // Only a new connection is that of the user whom the pool wants.
      changeUser: (...args: Parameters<Core['changeUser']>) => {
        this.spoilt = true;
        changeUser(...args);
      },
      end: (callback?: unknown) => {
        leave();
        return end(callback);
      },
      close: () => {
        leave();
        close();
      },
    });
  }

  private hears(packet: Packet): void {
    const over = this.trace.hears(packet);
    if (!over) return;
    this.broken = true;
    this.spoil(over);
  }

  private watch(): void {
    const { core } = this;
    // Without a listener an `error` event would end the process.
    core.on('error', (error: Error) => {
      this.broken = true;
      this.failStreams(error);
      this.spoil(error);
    });
    core.on('end', () => {
      this.broken = true;
      this.spoil(new Error('the server has closed the connection'));
    });
    core.stream.once('close', () => {
      this.ended = this.broken = true;
      this.spoil(new Error('the connection is closed'));
      this.tellIdle();
    });
  }

  /** mysql2 tells only those of a broken connection who have a callback; others would wait for ever. */
  private failStreams(error: Error): void {
    const { _command: command } = this.core;
    if (command && !command.onResult) refuse(command, error);
    for (const stream of this.streams) {
      stream.on('error', () => undefined);
      stream.destroy(error);
    }
  }

  private spoil(cause: unknown): void {
    this.spoilt = true;
    this.invalidate(cause);
  }

  private tellIdle(): void {
    for (const tell of this.whenIdle.splice(0)) tell();
  }

  private refuseWaiting(why: () => Error): void {
    const { _commands: queue } = this.core;
    for (let left = queue.length; left > 0; left--) {
      const command = queue.shift();
      if (!command) return;
      // The end of a prepared statement, which nobody waits for.
      if (!command.onResult && textOf(command) === undefined) queue.push(command);
      else refuse(command, why());
    }
  }
}

/** A flag, or one of several words in newer versions. */
function isOn(value: unknown): boolean {
  if (typeof value === 'string') return value !== '' && value !== '0' && value.toUpperCase() !== 'OFF';
  return Number(value) === 1;
}
