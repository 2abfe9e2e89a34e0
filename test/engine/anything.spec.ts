import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkInvariants, checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';
import { ok, rejects, slow, sync, throws, type Behaviour, type Thing } from '../support/scripted-factory.js';

checkPoolsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

describe('whatever borrowers and the factory do', () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1);
  it.each(seeds)('the counts are right and nobody is forgotten (seed %i)', async seed => {
    const random = randomFrom(seed);
    jest.spyOn(Math, 'random').mockImplementation(random);
    const pick = <X>(items: readonly X[]): X | undefined => items[Math.floor(random() * items.length)];
    const broken = new Error('broken');
    /** Each call does something else; a third of them only when the test says so. */
    const anyhow = <R>(call: Parameters<Behaviour<R>>[0] & { plain: () => R }): R | PromiseLike<R> => {
      const dice = random();
      if (dice < 0.3) return slow(call);
      if (dice < 0.4) return throws(broken)();
      if (dice < 0.5) return rejects(broken)();
      return dice < 0.6 ? sync(call) : ok(call);
    };
    const { pool, factory, clock } = scriptedPool({
      min: Math.floor(random() * 3),
      max: 2 + Math.floor(random() * 4),
      order: random() < 0.5 ? 'lifo' : 'fifo',
      createConcurrency: random() < 0.5 ? 2 : Infinity,
      maxUses: random() < 0.5 ? 5 : Infinity,
      validateAfterIdle: random() < 0.5 ? 0 : 100,
      idleTimeout: 2_000,
      maxLifetime: 5_000,
      createTimeout: 1_000,
      validateTimeout: 300,
      resetTimeout: 300,
      destroyTimeout: 500,
      create: anyhow,
      validate: anyhow,
      reset: random() < 0.5 ? anyhow : undefined,
      destroy: anyhow,
      isFatal: () => random() < 0.5,
    });
    const leases = new Set<Lease<Thing>>();
    const aborts: AbortController[] = [];
    let open = 0;
    const borrow = (): void => {
      const abort = new AbortController();
      aborts.push(abort);
      open++;
      pool.acquire({ timeout: 1 + random() * 1_500, signal: abort.signal }).then(
        lease => {
          open--;
          leases.add(lease);
        },
        () => open--,
      );
    };
    const giveBack = (): void => {
      const lease = pick([...leases]);
      if (!lease) return;
      leases.delete(lease);
      const dice = random();
      if (dice < 0.1) lease.destroy();
      else lease.release(dice < 0.2 ? broken : undefined);
    };
    for (let step = 0; step < 400; step++) {
      const dice = random();
      if (dice < 0.35) borrow();
      else if (dice < 0.65) giveBack();
      else if (dice < 0.7) pick(aborts)?.abort();
      else if (dice < 0.73) pick(factory.creates.calls)?.given.invalidate(broken);
      else if (dice < 0.76) {
        const lease = pool.tryAcquire();
        if (lease) leases.add(lease);
      } else if (dice < 0.9) {
        const { creates, validates, resets, destroys } = factory;
        const call = pick([...creates.open, ...validates.open, ...resets.open, ...destroys.open]);
        if (random() < 0.7) call?.settle();
        else call?.fail(broken);
      } else await clock.advance(random() * 200);
      if (random() < 0.5) {
        await turn();
        checkInvariants(pool, factory, clock);
      }
    }
    // All is well from now on: everybody is served or told.
    factory.finish();
    for (let i = 0; i < 400 && (open > 0 || leases.size > 0); i++) {
      giveBack();
      await clock.advance(50);
    }
    expect(open).toBe(0);
    // The longest step of the back-off.
    await clock.advance(10_200);
    const last = follow(pool.acquire());
    await clock.advance(2_000);
    expect(last.state).toBe('fulfilled');
  });
});
