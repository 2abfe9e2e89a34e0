import {
  LeaseReleasedError,
  PoolClosedError,
  PoolOptionsError,
  type Lease,
  type Pool,
} from '../../../src/engine/index.js';
import { Trouble } from './answers.js';
import type { Asked } from './commands.js';
import type { Borrower, Facts, Lending } from './facts.js';
import type { Outside } from './outside.js';
import { wronglyRefused } from './refused.js';
import type { Item } from './resource.js';

/** Those who borrow. Each writes down what it does before it does it. */
export class Crowd {
  /** Who was served since the last rest, and in which lending. */
  readonly servedLately = new Map<Borrower, Lending>();
  private readonly aborts: AbortController[] = [];
  private readonly owners = [{ name: 'first' }, { name: 'second' }];

  constructor(
    private readonly facts: Facts,
    private readonly pool: Pool<Item>,
    private readonly outside: Outside,
  ) {}

  acquire(asked: Asked): void {
    const { facts, pool } = this;
    const borrower = this.come(asked);
    const name = `acquire ${borrower.order}`;
    facts.tell(`${name} begins: ${JSON.stringify(asked)}`);
    facts.begun ||= !borrower.signal?.aborted && !facts.closing;
    const { mustServe } = facts;
    facts.waiting.add(borrower);
    const served = (lease: Lease<Item>): Lending | undefined => {
      facts.tell(`${name} is served`);
      facts.waiting.delete(borrower);
      if (borrower.hopeless) facts.violated(`${name} is served although its signal was aborted before`);
      return this.receive(borrower, lease);
    };
    const refused = (error: unknown): void => {
      // Otherwise it is the error of its own work.
      if (!facts.waiting.delete(borrower)) return;
      facts.tell(`${name} is refused: ${String(error).slice(0, 80)}`);
      const why =
        mustServe && !borrower.hopeless && !(error instanceof LeaseReleasedError)
          ? 'something fit was idle'
          : wronglyRefused(facts, borrower, error);
      if (why) facts.violated(`${name} is refused with ${String(error)}, although ${why}`);
    };
    const { signal, owner } = borrower;
    const options = { timeout: asked.timeout, priority: asked.priority, signal, owner };
    if (!asked.use) {
      pool.acquire(options).then(served, refused);
      return;
    }
    pool
      .use((item, lease) => {
        const lending = served(lease);
        if (!lending) return undefined;
        if (lending.resource.item !== item) facts.violated(`${name} uses another thing than its lease`);
        return new Promise<void>((resolve, reject) => {
          lending.done = error => {
            if (error) reject(error);
            else resolve();
          };
        });
      }, options)
      .catch(refused);
  }

  tryAcquire(): void {
    const { facts } = this;
    const { closing, mustServe } = facts;
    facts.begun ||= !closing;
    // It must pass nobody.
    const borrower: Borrower = { ...this.come({ timeout: 0 }), priority: 'low' };
    facts.waiting.add(borrower);
    try {
      const lease = this.pool.tryAcquire();
      facts.tell(`tryAcquire gives ${lease ? 'a lease' : 'nothing'}`);
      if (lease) this.receive(borrower, lease);
      else if (mustServe) facts.violated('tryAcquire gives nothing although something fit is idle');
      if (closing) facts.violated('tryAcquire does not throw on a closed pool');
    } catch (error) {
      const closed = error instanceof PoolClosedError && closing;
      if (closed) facts.seen.refused++;
      // It waits for no onBorrow.
      const unprepared = error instanceof PoolOptionsError && facts.has.onBorrow;
      if (!closed && !unprepared && !facts.failedBorrows.delete(error))
        facts.violated(`tryAcquire throws ${String(error)}`);
    } finally {
      facts.waiting.delete(borrower);
    }
  }

  abort(which: number): void {
    const abort = this.aborts.at(-1 - (which % Math.max(1, this.aborts.length)));
    this.facts.tell('abort');
    abort?.abort(new Error('aborted'));
  }

  release(which: number, kind?: 'fatal' | 'harmless'): void {
    const [lending, lease] = this.held(which);
    if (!lease) return;
    this.giveBack(lending, lease, `released ${kind ?? ''}`, kind !== undefined);
    if (kind === 'fatal') {
      lending.resource.unfit ??= 'its holder saw a fatal error';
    }
    const error = kind && new Trouble(kind, lending.resource);
    if (lending.done) lending.done(error);
    else lease.release(error);
  }

  destroy(which: number): void {
    const [lending, lease] = this.held(which);
    if (!lease) return;
    this.giveBack(lending, lease, 'destroyed by its holder');
    lending.resource.unfit ??= 'its holder destroyed it';
    lease.destroy();
    lending.done?.();
  }

  detach(which: number): void {
    const [lending, lease] = this.held(which);
    if (!lease) return;
    const { facts } = this;
    const { resource } = lending;
    this.giveBack(lending, lease, 'detached');
    resource.state = 'detached';
    facts.seen.detached++;
    if (lease.detach() !== resource.item) facts.violated('detach gives another thing than was lent');
    lending.done?.();
  }

  /** Ends a lease once more: nothing may come of it. */
  again(which: number, how: 'release' | 'destroy' | 'detach'): void {
    const { facts, pool } = this;
    const lease = facts.ended.at(-1 - (which % Math.max(1, facts.ended.length)));
    // The work of a `use` has ended, but the pool does not know it yet.
    if (!lease?.released) return;
    facts.tell(`${how} of a lease that has ended`);
    const before = JSON.stringify(pool.stats());
    const tries: (() => unknown)[] = [() => lease.resource];
    if (how === 'detach') tries.push(() => lease.detach());
    else lease[how]();
    for (const attempt of tries) {
      try {
        facts.violated(`a lease that has ended still gives ${JSON.stringify(attempt())}`);
      } catch {
        // So it must.
      }
    }
    if (JSON.stringify(pool.stats()) !== before)
      facts.violated(`a second ${how} of a lease changes the counts`);
  }

  invalidate(which: number): void {
    const { resources } = this.facts;
    const resource = resources.at(-1 - (which % Math.max(1, resources.length)));
    if (!resource) return;
    this.facts.tell(`#${resource.slot} is invalidated`);
    resource.unfit ??= 'it was invalidated';
    resource.broken = true;
    resource.context.invalidate(new Error('gone bad'));
  }

  private come(asked: Asked): Borrower {
    const { facts } = this;
    const abort = asked.signal && new AbortController();
    if (asked.signal === 'aborted') abort?.abort(new Error('aborted before'));
    else if (abort) this.aborts.push(abort);
    return {
      order: facts.next(),
      priority: asked.priority ?? 'normal',
      timeout: asked.timeout ?? facts.settings.acquireTimeout,
      since: facts.patience,
      signal: abort?.signal,
      owner: asked.owner === undefined ? undefined : this.owners[asked.owner],
      hopeless: asked.signal === 'aborted',
      ahead: facts.waiting.size,
    };
  }

  private held(which: number): [Lending, Lease<Item>] | [undefined, undefined] {
    const held = [...this.facts.lendings].filter(one => one.lease);
    const lending = held[which % held.length];
    return lending?.lease ? [lending, lending.lease] : [undefined, undefined];
  }

  private giveBack(lending: Lending, lease: Lease<Item>, how: string, failed = false): void {
    const { facts } = this;
    const { resource } = lending;
    facts.tell(`#${resource.slot} is ${how}`);
    facts.lendings.delete(lending);
    facts.ended.push(lease);
    facts.seen.released++;
    resource.lending = undefined;
    resource.dirty = facts.has.reset;
    const { owner } = lending;
    const badly = failed ? 'error' : 'success';
    resource.due = { outcome: () => (lease.signal.aborted ? 'aborted' : badly), owner };
    resource.provenAt = facts.now;
  }

  private receive(borrower: Borrower, lease: Lease<Item>): Lending | undefined {
    const { facts } = this;
    if (lease.released) {
      if (!facts.closing && facts.settings.maxHold === Infinity)
        facts.violated('a lease has ended before it began');
      return undefined;
    }
    const { lending, slot } = this.outside.at(lease.resource.slot);
    if (!lending || lending.lease) {
      facts.violated(`somebody is given #${slot}, which is ${lending ? 'held already' : 'not lent'}`);
      return undefined;
    }
    lending.lease = lease;
    lending.owner = borrower.owner;
    if (borrower.owner) facts.holders.add(borrower.owner);
    this.servedLately.set(borrower, lending);
    return lending;
  }
}
