import { Branch, currentBranch, enterBranch, isInBranch, placeOf, type Kind, type Sender } from './branch.js';
import { CallSite } from './call-site.js';
import { TransactionOverlapError } from './errors.js';
import { boundariesOf, type Boundary } from './transaction-statements.js';

/** The server's word at the end of each query: idle, in a transaction, in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E';

/** To be asked when the turn of a statement has come: why it must not be sent, if it must not. */
export type Admission = () => Error | undefined;

/**
 * Keeps the transactions of those who share one connection apart. While one is open, only who takes part in it can send
 * anything: by the handle that it was begun through, from an async context that belongs to it, or since it is open to all.
 * And nobody can begin another: the server would only warn, and whoever ends first would end both.
 *
 * Who is refused usually rolls back, and that must not be the work of the other. By another handle it is not; on one and the
 * same, a BEGIN marks the async context it is sent from, and once another was refused, the transaction is ended only from the
 * context that began it.
 */
export class Transactions {
  /** Whose transaction is open, or being opened. */
  private owner: Branch | undefined = undefined;
  /** That, or the last savepoint of the pool's own within it: where statements go now. */
  private innermost: Branch | undefined = undefined;
  /** The server has said that it is open. */
  private confirmed = false;
  /** Another BEGIN was refused since. */
  private contested = false;
  /** Handles whose BEGIN was refused since, and who have not ended what they have not begun. */
  private readonly refused = new Map<Sender, TransactionOverlapError>();
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
   * @param from undefined for who uses the client itself, which nobody does who shares it
   * @returns undefined for a statement that may be sent in any case, which is the usual one
   */
  admission(text: string, entry: unknown, from?: Sender): Admission | undefined {
    const boundaries = boundariesOf(text);
    // As it nearly always is: nothing is open, and nothing that could open one is sent before it.
    if (boundaries.length === 0 && !this.owner && !isInBranch() && this.isIdle() && !from?.at)
      return undefined;
    return this.examine(boundaries, text, entry, from);
  }

  private examine(
    boundaries: readonly Boundary[],
    text: string,
    entry: unknown,
    from: Sender | undefined,
  ): Admission | undefined {
    const context = currentBranch(this, this.borrow);
    const [first] = boundaries;
    if (first === undefined) return this.follows(text, entry, from, context);
    const at = from?.at;
    const outlived = this.outlived(text, undefined, at, context);
    // Its context stays what it is.
    if (outlived) return () => outlived;
    const boundary = this.boundary(first, boundaries, text, entry, from, context);
    return () => this.outlived(text, undefined, at, context) ?? boundary();
  }

  /** For a text that begins or ends a transaction. */
  private boundary(
    first: Boundary,
    boundaries: readonly Boundary[],
    text: string,
    entry: unknown,
    from: Sender | undefined,
    context: Branch | undefined,
  ): Admission {
    const staysOpen = boundaries.at(-1) === 'begin';
    if (first !== 'begin' && !staysOpen) return () => this.end(first, text, from, context);
    const branch = this.branch(text, entry, from);
    // Within its own transaction it stays who it is: it must be able to end that.
    const within = this.isWithin(branch, context);
    if (!within || first !== 'begin') enterBranch(branch);
    if (first === 'begin') return () => this.begin(branch, within, staysOpen);
    return () => {
      const refused = this.end(first, text, from, context);
      if (!refused) this.own(branch);
      return refused;
    };
  }

  /**
   * For a statement of a hook, which is the pool's own, and never refused. What it begins is for the whole borrow: who
   * borrows takes part in it, and ends it as little as any other that the pool has begun.
   *
   * @param entry as with {@link admission}
   */
  ofHook(text: string, entry: unknown): Admission | undefined {
    const boundaries = boundariesOf(text);
    if (boundaries.length === 0) return undefined;
    const staysOpen = boundaries.at(-1) === 'begin';
    const begins = staysOpen || (boundaries.includes('begin') && !this.pipelined);
    const branch = begins ? this.branch(text, entry, undefined, { managed: true, whole: true }) : undefined;
    return () => {
      if (branch !== undefined || this.pipelined) this.own(branch);
      return undefined;
    };
  }

  /** @param entry as with {@link admission} */
  branch(text: string, entry: unknown, from: Sender | undefined, kind?: Kind): Branch {
    const site = from?.alone ? undefined : new CallSite(entry);
    return new Branch(this, this.borrow, from, text, site, kind);
  }

  /** For the BEGIN, or the SAVEPOINT, of the pool's own. */
  opens(branch: Branch): Admission {
    return () => {
      const { innermost } = this;
      const { parent } = branch;
      if (parent && !this.isIn(parent)) return TransactionOverlapError.ended(parent.place, branch.place);
      if (innermost !== parent) return TransactionOverlapError.begin(innermost!.place, branch.place);
      if (parent) this.innermost = branch;
      else this.own(branch);
      return undefined;
    };
  }

  /** For the statement of the pool's own that ends what {@link opens} has begun. Nothing is in it from its turn on. */
  ends(branch: Branch, how: Boundary): Admission {
    return () => {
      const { innermost } = this;
      if (!this.isIn(branch)) return TransactionOverlapError.ended(branch.place);
      if (how === 'commit' && innermost !== branch)
        return TransactionOverlapError.unfinished(branch.place, innermost!.place);
      if (branch.parent) this.innermost = branch.parent;
      else if (this.pipelined) this.own(undefined);
      return undefined;
    };
  }

  /** It has not been begun after all, or is lost with its connection. */
  forget(branch: Branch): void {
    if (branch === this.owner) this.own(undefined);
    else if (this.isIn(branch)) this.innermost = branch.parent;
  }

  /** Is it open, or being opened? */
  isIn(branch: Branch): boolean {
    return this.innermost?.isPartOf(branch) ?? false;
  }

  /** Is a transaction open, or being opened? */
  get isOpen(): boolean {
    return this.owner !== undefined;
  }

  /** Nothing is sent any more, as the connection has broken. Whoever tries to end the transaction knows that it is lost. */
  lost(text: string): void {
    const [first] = boundariesOf(text);
    if (first !== undefined && first !== 'begin' && !this.owner?.managed) this.own(undefined);
  }

  /** The borrow is over, and what its branches were told is nothing to the next. */
  renew(): void {
    this.borrow = {};
  }

  /** The server has answered. To be called for each answer, and when nothing is left to do. */
  answered(status: TransactionStatus, idle: boolean): void {
    if (this.pipelined && !idle) return;
    if (status !== 'I') this.confirmed = true;
    else if (this.owner) this.own(undefined);
  }

  /**
   * Those who were called from one function before it awaited anything are in one context, so that is not enough to take
   * a sender for the owner of the transaction: what it does must also have been called from where that was begun.
   */
  private isWithin(branch: Branch, context: Branch | undefined): boolean {
    if (!context || context !== this.owner || !this.confirmed || !this.isIdle()) return false;
    return context.managed || branch.sender !== context.sender || branch.isWithin(context);
  }

  concerns({ borrow }: Branch): boolean {
    return this.owner !== undefined && borrow === this.borrow;
  }

  private begin(branch: Branch, within: boolean, staysOpen: boolean): Error | undefined {
    const { owner, innermost } = this;
    if (owner === undefined) {
      if (staysOpen || !this.pipelined) this.own(branch);
      return undefined;
    }
    branch.refused = TransactionOverlapError.begin(innermost!.place, branch.place);
    const { sender } = branch;
    if (sender && sender !== owner.sender) this.refused.set(sender, branch.refused);
    else if (within) owner.nested = true;
    else this.contested = true;
    return branch.refused;
  }

  private end(
    how: Boundary,
    text: string,
    from: Sender | undefined,
    context: Branch | undefined,
  ): Error | undefined {
    const { owner } = this;
    if (owner) {
      const refused = from && this.refused.get(from);
      if (refused) {
        this.refused.delete(from);
        return TransactionOverlapError.end(text, owner.place, refused.refusedAt);
      }
      // That of a hook has no sender: who has detached the client ends it.
      if (owner.managed && (from ?? owner.sender)) return TransactionOverlapError.managed(text, owner.place);
      if (!this.takesPart(from, from?.at, context))
        return TransactionOverlapError.stranger(text, this.innermost!.place);
      const refusedHere = refusalOf(context, from) && context?.place;
      if (context !== owner && (this.contested || refusedHere))
        return TransactionOverlapError.end(text, owner.place, refusedHere);
    }
    if (owner?.nested && how === 'rollback') owner.rolledBack = true;
    if (!owner && context?.rolledBack) {
      context.rolledBack = false;
      if (how === 'commit') return TransactionOverlapError.gone(context.place);
    }
    if (this.pipelined) this.own(undefined);
    return undefined;
  }

  /** For a statement that neither begins nor ends anything. */
  private follows(
    text: string,
    entry: unknown,
    from: Sender | undefined,
    context: Branch | undefined,
  ): Admission {
    const at = from?.at;
    // It has no stack any more when its turn comes, and to take one for each would cost too much.
    const site = this.takesPart(from, at, context) ? undefined : new CallSite(entry);
    // Who has seen its BEGIN refused knows what it does.
    const aware = context?.refused !== undefined;
    return () =>
      (aware ? undefined : this.stray(text, from, context)) ?? this.keepOut(text, site, from, at, context);
  }

  /** Sent by who did not wait for what became of its BEGIN, or within a transaction that is not there any more. */
  private stray(text: string, from: Sender | undefined, context: Branch | undefined): Error | undefined {
    if (context?.rolledBack && !this.owner) return TransactionOverlapError.gone(context.place);
    const refused = refusalOf(context, from);
    return refused && TransactionOverlapError.follow(text, refused);
  }

  private keepOut(
    text: string,
    site: CallSite | undefined,
    from: Sender | undefined,
    at: Branch | undefined,
    context: Branch | undefined,
  ): Error | undefined {
    const outlived = this.outlived(text, site, at, context);
    if (outlived) return outlived;
    const refused = from && this.refused.get(from);
    if (refused) return TransactionOverlapError.follow(text, refused);
    if (this.takesPart(from, at, context)) return undefined;
    return TransactionOverlapError.stranger(text, this.innermost!.place, site?.place);
  }

  /** Is it sent by what belongs to a transaction that has ended: its client, or work that ran in it and was not awaited? */
  private outlived(
    text: string,
    site: CallSite | undefined,
    at: Branch | undefined,
    context: Branch | undefined,
  ): Error | undefined {
    let over = at && !this.isIn(at) ? at : undefined;
    for (let branch = context; branch && !over; branch = branch.parent) {
      if (!branch.hasWork || branch.released || this.isIn(branch)) continue;
      // Who goes on with the client of another transaction takes part in that.
      if (!at || branch.isPartOf(at)) over = branch;
    }
    return over && TransactionOverlapError.ended(over.place, placeOf(site, text));
  }

  /** May it be sent into the transaction that is open, if one is? */
  private takesPart(from: Sender | undefined, at: Branch | undefined, context: Branch | undefined): boolean {
    const { innermost } = this;
    if (!innermost || innermost.whole || !from || !innermost.sender) return true;
    return from === innermost.sender || at === innermost || (context?.isPartOf(innermost) ?? false);
  }

  private own(branch: Branch | undefined): void {
    this.owner = this.innermost = branch;
    this.confirmed = this.contested = false;
    this.refused.clear();
  }
}

/** Why the BEGIN of a context was refused: not to be held against what it sends by another handle. */
function refusalOf(
  context: Branch | undefined,
  from: Sender | undefined,
): TransactionOverlapError | undefined {
  return context?.sender === from ? context?.refused : undefined;
}
