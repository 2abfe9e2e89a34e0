import { textOf, type Command, type Core } from './core.js';
import { endsSession, refusesToWrite } from './errors.js';
import { leavesUnseen } from './unseen.js';
import { errorIn, wordIn, type Word } from './wire.js';

/** A statement of the pool itself, or one that makes the session what it is for everybody. */
export type Sender = 'pool' | 'set-up';

export type Packet = NonNullable<Parameters<Core['handlePacket']>[0]>;

/** What the session of one connection has been through since it was last clean, by what was sent and what was answered. */
export class Trace {
  /** By the server's last word; after an error, which is none, it counts as being in one. */
  inTransaction = false;
  /** By its last word, whatever error has come since. */
  isInTransaction = false;
  /** An error has come since, by which the server may have ended it. */
  mayHaveEnded = false;
  /** Something may have left a trace. */
  touched = false;
  otherDatabase = false;
  /** A statement was refused because it writes. */
  cannotWrite = false;
  /** Does the server say whether the session was changed? */
  tracked = false;
  /** The user's `onCreate` is at work: what it does is the session's own. */
  founding = false;
  /** The server has said of a set-up that the session was changed. */
  private told = false;
  private backslashEscapes = true;
  /** Whose is what is sent now, when it is not a borrower's? */
  private sender: Sender | undefined = undefined;
  private readonly senders = new WeakMap<Command, Sender>();

  constructor(private readonly core: Core) {}

  /** What is queued meanwhile is no trace of a borrower. */
  sendAs(sender: Sender, queue: () => void): void {
    this.sender = sender;
    try {
      queue();
    } finally {
      this.sender = undefined;
    }
  }

  /** Sends a set-up by which the server should say from now on what changes, and finds out whether it does. */
  async track(setUp: () => Promise<void>): Promise<void> {
    this.told = false;
    await setUp();
    this.tracked = this.told;
  }

  /** A command that is about to be queued. */
  sees(command: Command): void {
    const sender = this.sender ?? (this.founding ? 'set-up' : undefined);
    if (sender) {
      this.senders.set(command, sender);
      return;
    }
    if (this.touched) return;
    const text = textOf(command);
    this.touched = text !== undefined && leavesUnseen(text, this.backslashEscapes);
  }

  /**
   * A packet that the server has sent.
   *
   * @returns why the session is over, if the packet says that it is
   */
  hears(packet: Packet): Error | undefined {
    const errno = errorIn(packet);
    if (errno !== undefined) return this.hearsError(errno);
    const word = wordIn(packet, this.core);
    if (word) this.hearsWord(word);
    return undefined;
  }

  private hearsWord({ inTransaction, backslashEscapes, changed, otherDatabase }: Word): void {
    this.inTransaction = this.isInTransaction = inTransaction;
    this.mayHaveEnded = false;
    this.backslashEscapes = backslashEscapes;
    this.otherDatabase ||= otherDatabase;
    if (!changed) return;
    if (this.senderOfAnswer === 'set-up') this.told = true;
    else this.touched = true;
  }

  private hearsError(errno: number): Error | undefined {
    this.cannotWrite ||= refusesToWrite(errno);
    // It does not say what has changed before it failed, nor whether a transaction is open.
    if (!this.senderOfAnswer) this.touched = this.inTransaction = true;
    this.mayHaveEnded = true;
    return endsSession(errno) ? new Error(`the server has ended the session (error ${errno})`) : undefined;
  }

  private get senderOfAnswer(): Sender | undefined {
    const { _command: command } = this.core;
    return command ? this.senders.get(command) : undefined;
  }
}
