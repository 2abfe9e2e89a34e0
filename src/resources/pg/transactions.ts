import { AsyncLocalStorage } from 'node:async_hooks';
import { CallSite } from './call-site.js';
import { TransactionOverlapError } from './errors.js';
import { boundariesOf, type Boundary } from './transaction-statements.js';

/** The server's word at the end of each query: idle, in a transaction, in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** To be asked when the turn of a statement has come: why it must not be sent, if it must not. */
export type Admission = () => Error | undefined;

/** Who sent a BEGIN: the async context in which it was sent, and all that follows from there. */
class Branch {
  /** Why its BEGIN was refused. */
  refused: TransactionOverlapError | undefined = undefined;
  /** It tried to begin another transaction within its own. */
  nested = false;
  /** Its transaction was rolled back. */
  rolledBack = false;

  constructor(
    readonly of: Transactions,
    readonly borrow: object,
    private readonly text: string,
    private readonly site: CallSite,
  ) {}

  /** Is there a transaction on its connection, in the same borrow? */
  get isCurrent(): boolean {
    return this.of.concerns(this);
  }

  /** Where its BEGIN was sent, for a message. */
  get place(): string {
    return this.site.place ?? `by "${this.text.trim().slice(0, 60)}"`;
  }

  /** Does its sender send this from within the transaction of the other? */
  isWithin(other: Branch): boolean {
    return this.site.isWithin(other.site);
  }
}

/** Whose branches an async context belongs to: one for each connection. */
const branches = new AsyncLocalStorage<readonly Branch[]>();

/**
 * Keeps the transactions of those who share one connection apart. While one is open, nobody else can begin another: the
 * server would only warn, and whoever ends first would end both.
 *
 * Who is refused usually rolls back, and that must not be the work of the other. So a BEGIN marks the async context it is
 * sent from; once another was refused, the transaction is ended only from the context that began it.
 */
export class Transactions {
  /** Whose transaction is open, or being opened. */
  private owner: Branch | undefined = undefined;
  /** The server has said that it is open. */
  private confirmed = false;
  /** Another BEGIN was refused since. */
  private contested = false;
  /** Stands for the borrow that is going on. */
  private borrow: object = {};

  constructor(
    /** Does the connection do nothing at this moment? */
    private readonly isIdle: () => boolean,
    /** Queries are sent before the one ahead of them is answered, and so cannot wait for its answer. */
    private readonly pipelined: boolean,
  ) {}

  /**
   * @param entry the function that the sender has called; the stack is taken from there
   * @returns undefined for a statement that may be sent in any case, which is the usual one
   */
  admission(text: string, entry: unknown): Admission | undefined {
    const boundaries = boundariesOf(text);
    const sender = branches.getStore()?.find(branch => branch.of === this && branch.borrow === this.borrow);
    const [first] = boundaries;
    if (first === undefined) return sender && !sender.refused ? () => this.follow(sender, text) : undefined;
    const staysOpen = boundaries.at(-1) === 'begin';
    if (first !== 'begin' && !staysOpen) return () => this.end(first, text, sender);
    const branch = new Branch(this, this.borrow, text, new CallSite(entry));
    // Within its own transaction it stays who it is: it must be able to end that.
    const within = this.isWithin(branch, sender);
    if (!within || first !== 'begin') this.enter(branch);
    if (first === 'begin') return () => this.begin(branch, within, staysOpen);
    return () => {
      const refused = this.end(first, text, sender);
      if (!refused) this.own(branch);
      return refused;
    };
  }

  /** Is a transaction open, or being opened? */
  get isOpen(): boolean {
    return this.owner !== undefined;
  }

  /** Nothing is sent any more, as the connection has broken. Whoever tries to end the transaction knows that it is lost. */
  lost(text: string): void {
    const [first] = boundariesOf(text);
    if (first !== undefined && first !== 'begin') this.own(undefined);
  }

  /** The borrow is over, and what its branches were told is nothing to the next. */
  renew(): void {
    this.borrow = {};
  }

  /** The server has answered. To be called for each answer, and when nothing is left to do. */
  answered(status: TransactionStatus, idle: boolean): void {
    if (this.pipelined && !idle) return;
    if (status === 'I') this.own(undefined);
    else this.confirmed = true;
  }

  /**
   * Those who were called from one function before it awaited anything are in one context, so that is not enough to take
   * a sender for the owner of the transaction: what it does must also have been called from where that was begun.
   */
  private isWithin(branch: Branch, sender: Branch | undefined): boolean {
    if (!sender || sender !== this.owner || !this.confirmed || !this.isIdle()) return false;
    return branch.isWithin(sender);
  }

  concerns({ borrow }: Branch): boolean {
    return this.owner !== undefined && borrow === this.borrow;
  }

  private begin(branch: Branch, within: boolean, staysOpen: boolean): Error | undefined {
    const { owner } = this;
    if (owner === undefined) {
      if (staysOpen || !this.pipelined) this.own(branch);
      return undefined;
    }
    if (within) owner.nested = true;
    else this.contested = true;
    branch.refused = TransactionOverlapError.begin(owner.place, branch.place);
    return branch.refused;
  }

  private end(how: Boundary, text: string, sender: Branch | undefined): Error | undefined {
    const { owner } = this;
    if (owner && sender !== owner && (this.contested || sender?.refused)) {
      return TransactionOverlapError.end(text, owner.place, sender?.refused && sender.place);
    }
    if (owner?.nested && how === 'rollback') owner.rolledBack = true;
    if (!owner && sender?.rolledBack) {
      sender.rolledBack = false;
      if (how === 'commit') return TransactionOverlapError.gone(sender.place);
    }
    if (this.pipelined) this.own(undefined);
    return undefined;
  }

  /** Sent by who did not wait for what became of its BEGIN, or within a transaction that is not there any more. */
  private follow(sender: Branch, text: string): Error | undefined {
    if (sender.rolledBack && !this.owner) return TransactionOverlapError.gone(sender.place);
    return sender.refused && TransactionOverlapError.follow(text, sender.refused);
  }

  private own(branch: Branch | undefined): void {
    this.owner = branch;
    this.confirmed = this.contested = false;
  }

  /** The sender's context belongs to this branch from now on, and to none of another that is over. */
  private enter(branch: Branch): void {
    const others = branches.getStore()?.filter(one => one.of !== this && one.isCurrent) ?? [];
    branches.enterWith([...others, branch]);
  }
}
