import {
  PoolClosedError,
  PoolTimeoutError,
  PoolUnavailableError,
  type Lease,
  type Pool,
} from '../../src/engine/index.js';
import { Findings } from './findings.js';
import { follow, type Followed } from './follow.js';
import { checkInvariants, scriptedPool, type ScriptedPool } from './invariants.js';
import type { ManualClock } from './manual-clock.js';
import {
  never,
  ok,
  rejects,
  slow,
  throws,
  type Behaviour,
  type ScriptedFactory,
  type Thing,
} from './scripted-factory.js';

/** What user code can do when it is called. */
export const OUTCOMES = ['ok', 'throws', 'rejects', 'slow', 'never'] as const;
export type Outcome = (typeof OUTCOMES)[number];
/** What each member does: destroy always, the others in the first call of their stage. All other calls go well. */
export type Outcomes = Readonly<Record<'create' | 'reset' | 'validate' | 'destroy', Outcome>>;

/** What the resource is going through while somebody waits, in the order of the story. */
export const STAGES = ['create', 'leased', 'reset', 'validate', 'destroy'] as const;
export type Stage = (typeof STAGES)[number];

export const EVENTS = ['nothing', 'abort', 'timeout', 'close', 'close now', 'recycle'] as const;
export type Event = (typeof EVENTS)[number];

/** What has become of an acquire. */
export type Result = 'pending' | 'served' | 'aborted' | 'timed out' | 'closed' | 'unavailable';

/** A timeout that happens does so before anything slow has settled, and that before the pool gives it up. */
const TIMEOUT = 100;
const SLOW = 300;
const LIMIT = 400;

interface Borrower {
  readonly lease: Followed<Lease<Thing>>;
  readonly abort: AbortController;
}

/**
 * The life of one resource in a pool of one: it is created, leased, reset, validated, destroyed. At each stage somebody
 * waits for it, and at one of them something happens. Unless that ends the pool, whoever is refused is followed by
 * somebody else, so that every stage is reached.
 */
export class BorrowStory {
  /** What became of the one who waited at each stage that was reached. */
  readonly results: Partial<Record<Stage, Result>> = {};
  private readonly findings = new Findings();
  private readonly scripted: ScriptedPool<Thing>;
  private readonly pool: Pool<Thing>;
  private readonly factory: ScriptedFactory;
  private readonly clock: ManualClock;
  private readonly borrowers: Borrower[] = [];
  private holder: Lease<Thing> | undefined;
  private closed: Followed<void> | undefined;
  /** The last one that was made, or is being made, before the recycle. */
  private lastOld = 0;

  constructor(
    private readonly outcomes: Outcomes,
    private readonly event: Event,
    private readonly at: Stage,
  ) {
    this.scripted = scriptedPool({
      max: 1,
      // Who comes second is served as soon as there is something for it.
      growth: 'eager',
      validateAfterIdle: 0,
      unavailableAfter: 1,
      createTimeout: LIMIT,
      validateTimeout: LIMIT,
      resetTimeout: LIMIT,
      destroyTimeout: LIMIT,
      validate: ok,
      reset: ok,
      destroy: behave(outcomes.destroy),
    });
    this.pool = this.scripted.pool;
    this.factory = this.scripted.factory;
    this.clock = this.scripted.clock;
  }

  /** Tells the story to its end, and checks the books all the way. */
  async tell(): Promise<void> {
    this.factory.creates.next(behave(this.outcomes.create));
    await this.stage('create');
    // Only the event makes this a stage of its own: that one waits for what another holds is part of the next.
    if (this.at === 'leased') await this.stage('leased');
    this.factory.resets.next(behave(this.outcomes.reset));
    await this.stage('reset', holder => {
      holder.release();
    });
    await this.rest();
    this.factory.validates.next(behave(this.outcomes.validate));
    await this.stage('validate');
    await this.stage('destroy', holder => {
      holder.destroy();
    });
    await this.rest();
    this.checkEnd();
    await this.scripted.finish();
  }

  /** @param begin what the holder does to make the stage begin; without it, the acquire does */
  private async stage(stage: Stage, begin?: (holder: Lease<Thing>) => void): Promise<void> {
    if (this.isClosed()) return;
    const happens = this.at === stage;
    const waiter = this.borrow(happens && this.event === 'timeout' ? TIMEOUT : Infinity);
    if (begin) begin(this.holder!);
    if (happens) await this.happen();
    await this.calm();
    const result = (this.results[stage] = resultOf(waiter));
    if (stage === 'leased') {
      // Whatever happens to those who wait, or to the signal it was acquired with, is nothing to the holder.
      this.findings.same('the holder has lost its lease', this.holder!.released, this.event === 'close now');
      // A later stage has its own.
      if (result === 'pending') waiter.abort.abort();
    } else if (!this.isClosed()) {
      this.holder = result === 'served' ? waiter.lease.value : await this.somebodyElse();
      this.findings.same('an older one is lent', this.holder!.resource.id <= this.lastOld, false);
    }
  }

  /** What is leased comes back, and is idle. */
  private async rest(): Promise<void> {
    this.holder?.release();
    this.holder = undefined;
    await this.calm();
  }

  /** Will a create that is running make something? */
  private isMaking(): boolean {
    const { create } = this.outcomes;
    return this.factory.creates.open.length > 0 && (create === 'ok' || create === 'slow');
  }

  private isClosed(): boolean {
    return this.closed !== undefined;
  }

  private borrow(timeout = Infinity): Borrower {
    const abort = new AbortController();
    const borrower = { lease: follow(this.pool.acquire({ timeout, signal: abort.signal })), abort };
    this.borrowers.push(borrower);
    return borrower;
  }

  private async somebodyElse(): Promise<Lease<Thing> | undefined> {
    const borrower = this.borrow();
    await this.calm();
    this.findings.same('somebody else', resultOf(borrower), 'served');
    return borrower.lease.value;
  }

  private async happen(): Promise<void> {
    switch (this.event) {
      case 'nothing':
        return;
      case 'abort':
        for (const { abort } of this.borrowers) abort.abort(new Error('not wanted any more'));
        return;
      case 'timeout':
        return this.clock.advance(1.1 * TIMEOUT);
      case 'close':
        this.closed = follow(this.pool.close({ timeout: 10 * LIMIT }));
        return;
      case 'close now':
        this.closed = follow(this.pool.close({ timeout: 0 }));
        this.checkForced();
        return;
      case 'recycle':
        this.lastOld = this.factory.creations.length + (this.isMaking() ? 1 : 0);
        this.pool.recycle();
    }
  }

  /** Lets time pass until nothing is on its way: what is slow settles, what never does is given up. */
  private async calm(): Promise<void> {
    const { pool, factory, clock } = this;
    await clock.advance(0);
    for (let i = 0; i < 20; i++) {
      const { state, idle, leased, total } = checkInvariants(pool, factory, clock);
      if (state !== 'unavailable' && total === idle + leased) return;
      await clock.advance(SLOW);
      const { creates, validates, resets, destroys } = factory;
      for (const script of [creates, validates, resets, destroys]) {
        for (const call of script.open) call.settle();
      }
    }
    throw new Error(`does not come to rest: ${JSON.stringify(pool.stats())}`);
  }

  /** Nobody waits for anything but destroys any more. */
  private checkForced(): void {
    const { total, closing } = this.pool.stats();
    this.findings.same('places that are not being freed', total - closing, 0);
  }

  private checkEnd(): void {
    const { findings, pool, borrowers, closed } = this;
    const stats = pool.stats();
    const { totals } = stats;
    const results = borrowers.map(resultOf);
    const count = (...kinds: Result[]): number => results.filter(result => kinds.includes(result)).length;
    findings.same('acquires that are still open', count('pending'), 0);
    findings.same('totals.acquired', totals.acquired, count('served'));
    findings.same('totals.aborted', totals.aborted, count('aborted'));
    findings.same('totals.timedOut', totals.timedOut, count('timed out'));
    findings.same('totals.refused', totals.refused, count('closed', 'unavailable'));
    if (closed) findings.same('close', closed.state, 'fulfilled');
    findings.same('state', stats.state, closed ? 'closed' : 'ready');
    findings.same('total', stats.total, closed ? 0 : 1);
    findings.report(stats);
  }
}

const broken = new Error('broken');
const BEHAVIOURS = { ok, throws: throws(broken), rejects: rejects(broken), slow, never };

/** What does not care which member it is the behaviour of, is one for each. */
function behave<R>(outcome: Outcome): Behaviour<R> {
  return BEHAVIOURS[outcome];
}

function resultOf({ lease: { state, error }, abort }: Borrower): Result {
  if (state !== 'rejected') return state === 'pending' ? 'pending' : 'served';
  if (error instanceof PoolTimeoutError) return 'timed out';
  if (error instanceof PoolClosedError) return 'closed';
  if (error instanceof PoolUnavailableError) return 'unavailable';
  if (abort.signal.aborted && error === abort.signal.reason) return 'aborted';
  throw error;
}
