import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallSite } from './call-site.js';
import type { TransactionOverlapError } from './errors.js';

/** The connection that a branch belongs to, as far as a branch needs it. */
interface Trunk {
  concerns(branch: Branch): boolean;
}

/** What statements come through: a handle, whose holders share it knowingly, or a client of its own within a transaction. */
export interface Sender {
  /** The transaction that it belongs to, and that it must not outlive. */
  readonly at?: Branch | undefined;
  /** It is in one hand by contract, and nobody asks where a transaction was begun: a stack would cost as much as a statement. */
  readonly alone?: boolean;
}

/** What a transaction is beyond what its BEGIN says. */
export interface Kind {
  /** The one that it stands in, as a savepoint. */
  readonly parent?: Branch | undefined;
  /** Only the pool's own statements end it. */
  readonly managed?: boolean;
  /** All who share the connection take part. */
  readonly whole?: boolean;
}

/** A transaction, or an attempt at one: who sent its BEGIN, and where. An async context that it has marked is part of it. */
export class Branch {
  /** Why its BEGIN was refused. */
  refused: TransactionOverlapError | undefined = undefined;
  /** It tried to begin another transaction within its own. */
  nested = false;
  /** Its transaction was rolled back. */
  rolledBack = false;
  /** Work was run as a part of it: what is left of that when it has ended is not to go on without it. */
  hasWork = false;
  /** What it has done is that of the transaction around it now, and so is what is left of its work. */
  released = false;
  readonly parent: Branch | undefined;
  readonly managed: boolean;
  readonly whole: boolean;

  constructor(
    readonly of: Trunk,
    readonly borrow: object,
    /** What its BEGIN came through, and whose statements are part of it; undefined for the client itself. */
    readonly sender: Sender | undefined,
    private readonly text: string,
    private readonly site: CallSite | undefined,
    { parent, managed = false, whole = false }: Kind = {},
  ) {
    this.parent = parent;
    this.managed = managed;
    this.whole = whole;
  }

  /** Is there a transaction on its connection, in the same borrow? */
  get isCurrent(): boolean {
    return this.of.concerns(this);
  }

  /** Where its BEGIN was sent, for a message. */
  get place(): string {
    return placeOf(this.site, this.text);
  }

  /** Does its sender send this from within the transaction of the other? */
  isWithin(other: Branch): boolean {
    const { site } = this;
    return site !== undefined && other.site !== undefined && site.isWithin(other.site);
  }

  /** Is it the other, or does it stand in that? */
  isPartOf(other: Branch): boolean {
    return this === other || (this.parent?.isPartOf(other) ?? false);
  }
}

/** Where a statement was sent, or what it says where that is not known. */
export function placeOf(site: CallSite | undefined, text: string): string {
  return site?.place ?? `by "${text.trim().slice(0, 60)}"`;
}

/** Whose branches an async context belongs to: one for each connection. */
const branches = new AsyncLocalStorage<readonly Branch[]>();

/** Does the current context belong to any? */
export function isInBranch(): boolean {
  return branches.getStore() !== undefined;
}

/** That of the current context on a connection, during a borrow. */
export function currentBranch(of: Trunk, borrow: object): Branch | undefined {
  return branches.getStore()?.find(branch => branch.of === of && branch.borrow === borrow);
}

/** The current context belongs to this branch from now on, and to none of another that is over. */
export function enterBranch(branch: Branch): void {
  branches.enterWith(withOthers(branch));
}

export function runInBranch<R>(branch: Branch, work: () => R): R {
  branch.hasWork = true;
  return branches.run(withOthers(branch), work);
}

function withOthers(branch: Branch): readonly Branch[] {
  const others = branches.getStore()?.filter(one => one.of !== branch.of && one.isCurrent) ?? [];
  return [...others, branch];
}
