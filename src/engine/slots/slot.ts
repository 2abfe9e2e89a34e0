import type { Links } from '../basics/intrusive-list.js';
import type { Lease } from '../lease.js';
import type { CreateContext } from '../options/factory.js';
import type { DestroyReason } from '../reports/destroy-reason.js';
import { Deadline } from '../time/deadlines.js';

/**
 * Where a resource is in its life.
 *
 * | state | fills a place of the cap | is coming supply |
 * |---|---|---|
 * | creating | yes | while it is not late |
 * | idle | yes | is supply |
 * | validating | yes | while it is not late |
 * | preparing: its `onBorrow` runs, for one borrower | yes | no |
 * | leased | yes | no |
 * | resetting | yes | while it is not late |
 * | closing | yes, until its destroy has settled | no |
 * | abandoned | no: user code did not settle in time, nobody waits for it any more | no |
 * | detached | no: its borrower keeps it | no |
 * | gone | no | no |
 */
export type SlotState =
  | 'creating'
  | 'idle'
  | 'validating'
  | 'preparing'
  | 'leased'
  | 'resetting'
  | 'closing'
  | 'abandoned'
  | 'detached'
  | 'gone';

/** How many slots are in each state: the pool's one account. Written by {@link Slot} only. */
export class Census {
  creating = 0;
  idle = 0;
  validating = 0;
  preparing = 0;
  leased = 0;
  resetting = 0;
  closing = 0;
  abandoned = 0;
  detached = 0;
  gone = 0;
  /** The most that were ever leased at once. */
  mostLeased = 0;
  /** Of those on their way, how many nobody counts on; see lateness.ts. */
  readonly doubted = { creating: 0, validating: 0, resetting: 0 };
  /** Resources that exist and may serve, and those on their way: what `min` is about. Kept, as every return asks. */
  alive = 0;

  /** @param sum the account of all pools under one total, of which this is a part */
  constructor(private readonly sum?: Census) {}

  /** Resources that exist and may serve. */
  get live(): number {
    return this.alive - this.creating;
  }

  /** Places of the cap that are filled. Closing ones count: the server still sees them. */
  get places(): number {
    return this.alive + this.closing;
  }

  /** Are with a borrower, or on their way to a certain one. */
  get out(): number {
    return this.leased + this.preparing;
  }

  get hasDoubted(): boolean {
    const { creating, validating, resetting } = this.doubted;
    return creating > 0 || validating > 0 || resetting > 0;
  }

  /** Will be free for a borrower in time, without anything being asked for. */
  get coming(): number {
    const { creating, validating, resetting } = this.doubted;
    return this.creating + this.validating + this.resetting - creating - validating - resetting;
  }

  /** `move('idle', 'leased')` */
  lent(): void {
    this.idle--;
    // Nothing else makes more of them.
    if (++this.leased > this.mostLeased) this.mostLeased = this.leased;
    this.sum?.lent();
  }

  /** `move('leased', 'idle')` */
  returned(): void {
    this.leased--;
    this.idle++;
    this.sum?.returned();
  }

  move(from: SlotState | undefined, to: SlotState): void {
    if (from) this[from]--;
    this[to]++;
    this.alive += Number(!ENDED.has(to)) - Number(from !== undefined && !ENDED.has(from));
    this.sum?.move(from, to);
  }
}

/** What each state may turn into; everything else is a defect of the pool and throws. */
const LEGAL: Readonly<Record<SlotState, readonly SlotState[]>> = {
  creating: ['idle', 'gone', 'abandoned'],
  idle: ['leased', 'preparing', 'validating', 'closing'],
  validating: ['idle', 'closing'],
  preparing: ['idle', 'resetting', 'closing'],
  leased: ['idle', 'resetting', 'closing', 'detached'],
  resetting: ['idle', 'closing'],
  closing: ['gone', 'abandoned'],
  abandoned: ['gone'],
  detached: [],
  gone: [],
};

const ENDED: ReadonlySet<SlotState> = new Set(['closing', 'abandoned', 'detached', 'gone']);

/** In these states user code is at work on a resource that is on its way to a borrower. */
export type Coming = keyof Census['doubted'];

function isComing(state: SlotState): state is Coming {
  return state === 'creating' || state === 'validating' || state === 'resetting';
}

/** The pool's record of one resource. */
export class Slot<T> implements Links<Slot<T>> {
  /** Neighbours in the list of idle slots: colder before, hotter after. */
  prev: Slot<T> | undefined = undefined;
  next: Slot<T> | undefined = undefined;
  /** The time limit of the user code that is running on the resource; there is never more than one such call. */
  readonly limit: Deadline;
  state: SlotState = 'creating';
  /** It is on its way, but nobody counts on it: it is late, or likely to be. */
  doubted = false;
  /** It is so late that its place may be given to another. */
  hangs = false;
  /** Since when something is being done with it on its way to a borrower, or to its end, and when that must have ended. */
  since = 0;
  limitAt = 0;
  /** Set when the create has settled well. */
  resource!: T;
  /** The lease that may use the resource now; a lease that is not this one has been returned. */
  lease: Lease<T> | undefined = undefined;
  /** Why it is {@link condemn}ed; undefined while it is good. */
  doom: DestroyReason | undefined = undefined;
  doomCause: unknown = undefined;
  /** Why its holder should not go on with it; set while it is leased. */
  broken: Error | undefined = undefined;
  uses = 0;
  /** How often it had been lent when it was made or looked at last. */
  private checkedAt = -1;
  /** Those who want to know when what is being done with it is done; see {@link whenDone}. */
  awaited: (() => void)[] | undefined = undefined;
  /** When it was made, and how long that took. */
  bornAt = 0;
  tookMs = 0;
  /** When it was last given back; Infinity while it has not been idle since it was made or lent. */
  idleSince = Infinity;
  /** When it was last known to be good: made, given back, or validated. */
  provenAt = 0;
  /** Retired when found idle or given back after this moment. */
  expiresAt = Infinity;
  /** From this moment on a replacement is looked for. */
  replaceAt = Infinity;
  /** Why it expires. */
  expiry: 'lifetime' | 'recycled' = 'lifetime';
  /** The slot whose place in the pool this one is to take, while it is being created. */
  replaces: Slot<T> | undefined = undefined;
  /** When it was lent; NaN where nobody wants to know it exactly. */
  lentAt = NaN;
  /** The same by the coarse time. */
  lentAbout = 0;
  /** Who has borrowed it, if the borrower said so. */
  owner: object | undefined = undefined;
  /** Where it was borrowed, if anybody wants to know. */
  trace: Error | undefined = undefined;
  /** Its `onCreate` has failed. */
  uninitialised = false;
  /** What it was created with; kept where there is an `onCreate`. */
  birth: CreateContext | undefined = undefined;
  /** Tells a running create, or an `onCreate`, that nobody wants its result any more. */
  abort: AbortController | undefined = undefined;

  constructor(
    readonly id: number,
    /** The attempt its create belongs to; see supply/attempts.ts. */
    readonly attempt: number,
    private readonly census: Census,
    overdue: (slot: Slot<T>, now: number) => void,
    replaces?: Slot<T>,
  ) {
    this.replaces = replaces;
    this.limit = new Deadline(now => {
      overdue(this, now);
    });
    census.move(undefined, 'creating');
  }

  /** Is there a resource that may serve? */
  get live(): boolean {
    return !ENDED.has(this.state) && this.state !== 'creating';
  }

  /** It has been made, or looked at and found good. */
  check(): void {
    this.checkedAt = this.uses;
  }

  /** Has it been made or looked at since it was last lent? */
  get checked(): boolean {
    return this.checkedAt === this.uses;
  }

  /** Is user code at work on it, on its way to a borrower? */
  get coming(): boolean {
    return isComing(this.state);
  }

  /**
   * Decides that it will be destroyed as soon as its present state ends; the first reason stands.
   *
   * @returns whether this is news
   */
  condemn(reason: DestroyReason, cause?: unknown): boolean {
    if (this.doom || ENDED.has(this.state)) return false;
    this.doom = reason;
    this.doomCause = cause;
    return true;
  }

  /** From now on nobody counts on it. */
  doubt(): void {
    if (this.doubted || !isComing(this.state)) return;
    this.doubted = true;
    this.census.doubted[this.state]++;
  }

  /** creating → idle: the create has settled well. */
  arrive(resource: T): void {
    this.resource = resource;
    this.check();
    this.abort = undefined;
    this.become('idle');
  }

  /** creating → gone: the create failed, there is nothing to destroy. */
  miscarry(): void {
    this.abort = undefined;
    this.become('gone');
  }

  /** idle → leased. Not by way of the table, as is the way back: that would double the cost of a borrow. */
  lend(lease: Lease<T>): void {
    if (this.state !== 'idle') this.illegal('leased');
    this.state = 'leased';
    this.census.lent();
    this.lease = lease;
    this.uses++;
    this.idleSince = Infinity;
  }

  /** idle → validating */
  validate(): void {
    this.become('validating');
  }

  /** idle → preparing: its `onBorrow` begins. When that has gone well, it comes to {@link rest} to be lent at once. */
  prepare(): void {
    this.become('preparing');
    this.idleSince = Infinity;
  }

  /** leased or preparing → resetting */
  reset(): void {
    this.become('resetting');
  }

  /** leased, preparing, validating or resetting → idle: fit for the next borrower. */
  rest(): void {
    if (this.state !== 'leased') {
      this.become('idle');
      return;
    }
    this.state = 'idle';
    this.census.returned();
  }

  /** any state with a resource → closing */
  close(): void {
    this.become('closing');
  }

  /** leased → detached: its borrower keeps the resource. */
  detach(): void {
    this.become('detached');
  }

  /** creating or closing → abandoned: user code did not settle in time. */
  abandon(): void {
    this.become('abandoned');
  }

  /** closing or abandoned → gone: its destroy has settled, or there turned out to be nothing to destroy. */
  vanish(): void {
    this.become('gone');
  }

  /** Resolves when what is being done with it is done: it can be lent again, or has come to its end. */
  whenDone(): Promise<void> {
    return new Promise(resolve => {
      (this.awaited ??= []).push(resolve);
    });
  }

  /** Tells those who await it. */
  done(): void {
    const { awaited } = this;
    if (!awaited) return;
    this.awaited = undefined;
    for (const tell of awaited) tell();
  }

  private become(state: SlotState): void {
    if (!LEGAL[this.state].includes(state)) this.illegal(state);
    if (this.doubted && isComing(this.state)) {
      this.doubted = this.hangs = false;
      this.census.doubted[this.state]--;
    }
    this.census.move(this.state, state);
    this.state = state;
  }

  private illegal(state: SlotState): never {
    throw new Error(
      `nestjs-pool: slot ${this.id} cannot go from ${this.state} to ${state}; this is a defect of the pool, please report it`,
    );
  }
}
