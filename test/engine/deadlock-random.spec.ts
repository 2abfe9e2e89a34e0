import { describe, expect, it } from '@jest/globals';
import { PoolDeadlockError, type Lease, type Priority } from '../../src/engine/index.js';
import { Findings } from '../support/findings.js';
import { follow, type Followed } from '../support/follow.js';
import { scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';
import { ok, slow, sync, type Call, type Thing } from '../support/scripted-factory.js';

const RUNS = 300;
const STEPS = 40;

/** One borrow, from its call until its lease is given back. */
interface Borrow {
  /** Its name; undefined for those who do not say on whose behalf they borrow. */
  readonly owner: string | undefined;
  readonly wish: Followed<Lease<Thing>>;
  readonly abort?: AbortController | undefined;
}

/** A pool at rest, as those see it who use it: from their own books, and from the factory's. */
interface World {
  /** The owners of all that is lent, one each. */
  readonly held: readonly (string | undefined)[];
  /** The owners of those who wait, in the order in which they came. */
  readonly waiting: readonly (string | undefined)[];
  /** What exists, and what is being made or destroyed. */
  readonly outside: number;
  readonly cap: number;
}

/**
 * Let the world go on as well as it can: what is on its way arrives, what is being destroyed goes, and everybody gives
 * back who may. Only owners that wait keep what they hold. It is a deadlock if no place is left for anybody then, and
 * nothing of it is still to come.
 */
function isDeadlock({ held, waiting, outside, cap }: World): boolean {
  const kept = held.filter(owner => owner && waiting.includes(owner)).length;
  const placesLeft = cap - kept;
  const stillToCome = outside - kept;
  return waiting.length > 0 && placesLeft <= 0 && stillToCome === 0;
}

/** Which of those who wait are refused until it is none any more: each time the last who came of those who hold. */
function toRefuse(world: World): number[] {
  const queue = world.waiting.map((owner, index) => ({ owner, index }));
  const refused: number[] = [];
  while (isDeadlock({ ...world, waiting: queue.map(({ owner }) => owner) })) {
    const last = queue.findLastIndex(({ owner }) => owner && world.held.includes(owner));
    refused.push(...queue.splice(last, 1).map(({ index }) => index));
  }
  return refused;
}

/** What was met in all runs, so that nobody is content with runs in which nothing happens. */
const met = { deadlocks: 0, severalAtOnce: 0, justNone: 0 };

/** A pool, and those who borrow from it in any order, but keep the promise of an owner. */
class Run {
  readonly steps: string[] = [];
  private readonly random: () => number;
  private readonly scripted;
  private readonly owners: readonly string[];
  /** The owners that the pool sees. */
  private readonly faces = new Map<string, object>();
  private waiting: Borrow[] = [];
  private held: Borrow[] = [];

  constructor(seed: number) {
    this.random = randomFrom(seed);
    const often = this.pick([0, 0.2, 0.6]);
    const manner = <R>(call: Call<R>): R | Promise<R> =>
      this.random() < often ? slow(call) : this.random() < 0.5 ? ok(call) : sync(call);
    this.scripted = scriptedPool({
      max: this.below(4) + 1,
      overflow: this.pick([0, 0, 1]),
      acquireTimeout: Infinity,
      create: manner,
      reset: this.random() < 0.5 ? manner : undefined,
      destroy: manner,
    });
    this.owners = ['Ann', 'Ben', 'Cid', 'Dot', 'Eve'].slice(0, 2 + this.below(4));
    for (const name of this.owners) this.faces.set(name, { toString: () => name });
  }

  /** @throws when the pool and the oracle do not agree */
  async play(): Promise<void> {
    for (let i = 0; i < STEPS; i++) await this.step(() => this.anything());
    await this.step(() => this.finish());
    // Who waited for all this time is served, or the pool has overlooked a deadlock.
    while (this.held.length + this.waiting.length > 0) {
      const free = this.free;
      if (free.length === 0) throw new Error('nobody can go on');
      await this.step(() => free.map(borrow => this.giveBack(borrow)).join());
    }
    await this.scripted.finish();
  }

  private async step(move: () => string): Promise<void> {
    this.steps.push(move());
    await turn();
    const { pool, factory } = this.scripted;
    const { max, overflow } = pool.stats();
    const [asked, findings] = [this.waiting, new Findings()];
    this.held.push(...asked.filter(({ wish }) => wish.state === 'fulfilled'));
    this.waiting = asked.filter(({ wish }) => wish.state === 'pending');
    const refused = asked.filter(({ wish }) => wish.error instanceof PoolDeadlockError);
    for (const { wish, abort } of asked) {
      if (wish.state === 'rejected' && !(wish.error instanceof PoolDeadlockError))
        findings.same('the only other reason', wish.error, abort?.signal.reason);
    }
    // With everything leased nothing moves by itself: this is how it was when the first of them was refused.
    const stuck = asked.filter(borrow => this.waiting.includes(borrow) || refused.includes(borrow));
    const world: World = {
      held: this.held.map(({ owner }) => owner),
      waiting: stuck.map(({ owner }) => owner),
      outside: factory.outside,
      cap: max + overflow,
    };
    const wanted = toRefuse(world).map(index => stuck[index]!);
    for (const borrow of stuck) {
      findings.same(`${borrow.owner} refused`, refused.includes(borrow), wanted.includes(borrow));
    }
    for (const { wish } of refused) this.checkError(wish.error as PoolDeadlockError, world.held, findings);
    findings.report(world);
    this.count(refused.length, world);
  }

  private count(refused: number, { held, outside, cap }: World): void {
    met.deadlocks += refused;
    if (refused > 1) met.severalAtOnce++;
    const holdersWait = this.waiting.some(({ owner }) => owner && held.includes(owner));
    if (refused === 0 && holdersWait && outside >= cap) met.justNone++;
  }

  private checkError({ holders, stats }: PoolDeadlockError, held: World['held'], findings: Findings): void {
    const names = holders.map(({ owner }) => owner).sort();
    findings.same('holders', names.join(), [...new Set(held)].sort().join());
    findings.same('leased when it was refused', stats?.leased, held.length);
    findings.same('places when it was refused', stats?.total, held.length);
    const known = holders.every(({ waitsAt }) => waitsAt?.includes('acquire'));
    findings.same('says where each of them waits', known, true);
  }

  /** One move, as random has it; what it was, for the record. */
  private anything(): string {
    const { pool } = this.scripted;
    const dice = this.random();
    const { free, open } = this;
    if (dice < 0.25 && free.length > 0) return this.giveBack(this.pick(free));
    if (dice < 0.33 && this.waiting.length > 0) {
      const { owner, abort } = this.pick(this.waiting);
      abort?.abort();
      return `${owner}: abort`;
    }
    if (dice < 0.5 && open.length > 0) return this.pick(open)();
    if (dice < 0.55) {
      const size = { max: this.below(4) + 1 };
      pool.resize(size);
      return `max ${size.max}`;
    }
    if (dice < 0.6) {
      const suspended = pool.stats().state === 'suspended';
      if (suspended) pool.resume();
      else pool.suspend();
      return suspended ? 'resume' : 'suspend';
    }
    const owner = this.pick([...this.owners, undefined]);
    return dice < 0.65 ? this.tryAcquire(owner) : this.acquire(owner);
  }

  /** How what is slow may end; creates only well, as what becomes of their failures depends on the time. */
  private get open(): (() => string)[] {
    const { creates, resets, destroys } = this.scripted.factory;
    const others = [...resets.open, ...destroys.open];
    const ends = (call: { settle: () => void }) => (): string => {
      call.settle();
      return 'one settles';
    };
    const fails = (call: { fail: (error: Error) => void }) => (): string => {
      call.fail(new Error('broken'));
      return 'one fails';
    };
    return [...[...creates.open, ...others].map(ends), ...others.map(fails)];
  }

  private acquire(owner: string | undefined): string {
    const { pool } = this.scripted;
    const abort = this.random() < 0.7 ? new AbortController() : undefined;
    const priority = this.pick<Priority | undefined>(['high', 'low', undefined, undefined]);
    const timeout = this.pick([60_000, undefined]);
    const asked = pool.acquire({ owner: this.faceOf(owner), signal: abort?.signal, timeout, priority });
    this.waiting.push({ owner, wish: follow(asked), abort });
    return `${owner}: acquire ${priority ?? 'normal'}`;
  }

  private tryAcquire(owner: string | undefined): string {
    const lease = this.scripted.pool.tryAcquire({ owner: this.faceOf(owner) });
    if (lease) this.waiting.push({ owner, wish: follow(Promise.resolve(lease)) });
    return `${owner}: tryAcquire`;
  }

  private faceOf(owner: string | undefined): object | undefined {
    return owner === undefined ? undefined : this.faces.get(owner);
  }

  /** What may be given back: not what belongs to an owner that waits. */
  private get free(): Borrow[] {
    return this.held.filter(({ owner }) => !owner || !this.waiting.some(one => one.owner === owner));
  }

  private giveBack(borrow: Borrow): string {
    this.held.splice(this.held.indexOf(borrow), 1);
    const way = this.pick(['release', 'release', 'release', 'destroy', 'detach'] as const);
    borrow.wish.value![way]();
    return `${borrow.owner}: ${way}`;
  }

  private finish(): string {
    this.scripted.factory.finish();
    this.scripted.pool.resume();
    return 'finish';
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

describe('whoever borrows on whose behalf, and in whatever order', () => {
  it('an acquire is refused for a deadlock exactly when nobody else could ever be served', async () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const run = new Run(seed);
      try {
        await run.play();
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\nafter ${run.steps.join('; ')}`, { cause: error });
      }
    }
    expect(met.deadlocks).toBeGreaterThan(RUNS);
    expect(met.severalAtOnce).toBeGreaterThan(RUNS / 10);
    expect(met.justNone).toBeGreaterThan(RUNS);
  });
});
