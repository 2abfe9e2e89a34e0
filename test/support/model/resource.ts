import type { BorrowOutcome, CreateContext } from '../../../src/engine/index.js';
import { COARSE, lateness, type Facts, type Lending } from './facts.js';

/** What the pool lends. */
export interface Item {
  readonly slot: number;
}

/** What an outside observer knows of one resource, from the first moment of its create on. */
export class Resource {
  readonly item: Item;
  /** `founding`: it has been made, and its `onCreate` is not done. */
  state: 'creating' | 'founding' | 'failed' | 'live' | 'detached' | 'ending' | 'ended' = 'creating';
  /** The pool has told how its create has ended. */
  known = false;
  /** The pool has told that it no longer waits for its create or its destroy: it fills no place. */
  givenUp = false;
  /** It can be lent now, whatever the pool does not tell: when its life ends, and when it will be validated. */
  certainlyFit(facts: Facts): boolean {
    const proven =
      !facts.has.validate || facts.now - this.provenAt + COARSE < facts.settings.validateAfterIdle;
    return this.mustNotBeLent(facts) === undefined && this.endsBy === Infinity && proven;
  }

  /** Why it must not be lent any more. */
  unfit: string | undefined;
  /** It was invalidated: whoever holds it must have been told. */
  broken = false;
  /** There was a recycle since it was made, or since its create began. */
  old = false;
  /** The user code that is running on it. */
  running:
    | {
        readonly what: 'validate' | 'reset' | 'prepare';
        readonly since: number;
        /** How far what is done with it between two borrowers has come. */
        stage?: 'onReturn' | 'returned' | 'reset' | 'onCreate';
        /** Since when the borrower for whom it is prepared has gone. */
        goneAt?: number;
      }
    | undefined;
  /** Its `onCreate` has been called. */
  founded = false;
  /** Its reset has undone what `onCreate` did. */
  renewed = false;
  /** Its `onBorrow` is done, and it is about to be lent. */
  prepared = false;
  /** It has been given back, and how that is to be told to `onReturn`. */
  due: { readonly outcome: () => BorrowOutcome; readonly owner: object | undefined } | undefined;
  lending: Lending | undefined;
  /** Given back, and not reset since. */
  dirty = false;
  uses = 0;
  /** When it was last made, reset, validated or given back. */
  provenAt = 0;
  /** When its life is over at the latest. */
  endsBy = Infinity;

  constructor(
    /** The pool numbers its resources as it creates them, from 1. */
    readonly slot: number,
    readonly context: CreateContext,
    /** Its place in the order of everything that happens. */
    readonly order: number,
    /** When its create began; later, its destroy. */
    public since: number,
  ) {
    this.item = { slot };
  }

  get fillsPlace(): boolean {
    return !this.givenUp && (this.alive || this.state === 'ending');
  }

  /** Counts towards `min`. */
  get alive(): boolean {
    return !this.givenUp && (this.making || this.state === 'live');
  }

  get beingCreated(): boolean {
    return !this.givenUp && this.making;
  }

  /** Its create, or its `onCreate`, is not done. */
  get making(): boolean {
    return this.state === 'creating' || this.state === 'founding';
  }

  /** Is it on its way for so long that the pool need not count on it any more? */
  mayBeLate({ now }: Facts): boolean {
    const since = this.making ? this.since : (this.running?.since ?? now);
    return now - since >= 20;
  }

  /** Is it on its way for so long that the pool must not count on it any more? */
  isLate({ now, settings, longestCreate, measuredAt }: Facts): boolean {
    const since = this.making ? this.since : (this.running?.since ?? now);
    const half = settings.acquireTimeout / 2;
    const usual = this.making && measuredAt <= now ? 2 * longestCreate + 20 : half;
    const limit = Math.min(half, usual);
    return now > Math.max(since + limit, Math.min(measuredAt, now)) + lateness(limit);
  }

  /** Nobody has it, and nothing is being done to it. */
  get free(): boolean {
    return this.state === 'live' && !this.lending && !this.running;
  }

  /** Its `onCreate` has ended, if there is one: from now on there is something to lend or to destroy, unless that is over. */
  arrives(facts: Facts): boolean {
    if (!this.making) return false;
    this.state = 'live';
    this.provenAt = facts.now;
    this.endsBy = Math.min(this.endsBy, facts.now + facts.settings.maxLifetime);
    facts.seen.created++;
    return true;
  }

  /** A borrower waits for its `onBorrow`. */
  get awaited(): boolean {
    return this.undergoes('prepare') && this.running?.goneAt === undefined;
  }

  undergoes(what: 'validate' | 'reset' | 'prepare'): boolean {
    return this.state === 'live' && this.running?.what === what;
  }

  /** Why it must not be lent now that its `onBorrow` should be done. It was fit when that began. */
  mustNotArrive(): string | undefined {
    if (this.state !== 'live') return `it is ${this.state}`;
    if (this.lending) return 'somebody holds it';
    if (this.running) return `its ${this.running.what} is running`;
    if (this.broken) return 'it was invalidated';
    return this.prepared ? undefined : 'its onBorrow was not called';
  }

  /** Why it must not be lent now, if there is a reason. */
  mustNotBeLent({ suspended, settings, has, now }: Facts): string | undefined {
    if (suspended) return 'the pool is suspended';
    if (this.state !== 'live') return `it is ${this.state}`;
    if (this.givenUp) return 'its create had been given up';
    if (this.lending) return 'somebody holds it';
    if (this.running) return `its ${this.running.what} is running`;
    if (this.unfit) return this.unfit;
    if (this.due && has.onReturn) return 'its onReturn was not called';
    if (this.dirty) return 'it was not reset';
    if (this.renewed) return 'its onCreate was not called again';
    if (this.uses >= settings.maxUses) return `it was lent ${this.uses} times`;
    if (now > this.endsBy + COARSE) return 'its life is over';
    const unproven = now - this.provenAt;
    if (has.validate && unproven >= settings.validateAfterIdle + COARSE) return `unproven for ${unproven} ms`;
    return undefined;
  }
}
