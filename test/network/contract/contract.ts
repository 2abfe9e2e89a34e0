import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PoolSettings } from '../../../src/engine/index.js';
import { Leftovers } from '../../support/leftovers.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import type { Backend, PoolUnderTest, Subject } from './subject.js';

/** Looks at whatever was idle. */
const SUSPICIOUS: PoolSettings = { validateAfterIdle: 0 };
const PATIENT = { timeout: 10_000 };
/** Also one of Node itself, such as ECONNRESET: to Jest that is of another realm, and no instance of its Error. */
const AN_ERROR = { message: expect.any(String) };
/** How often what depends on the moment is tried. */
const ROUNDS = 20;

/** A server and a pool of it, with a network between them that can fail. */
class Bench<T> implements AsyncDisposable {
  private constructor(
    readonly backend: Backend<T>,
    readonly proxy: TcpProxy,
    readonly pool: PoolUnderTest<T>,
    private readonly leftovers: Leftovers,
  ) {}

  static async open<T>(backend: Backend<T>, settings: PoolSettings = {}): Promise<Bench<T>> {
    await backend.start();
    const proxy = await TcpProxy.before(backend.port);
    const leftovers = new Leftovers();
    const pool = backend.pool(proxy.port, {
      max: 1,
      destroyTimeout: 2_000,
      createBackoff: { initial: 10, max: 50 },
      ...settings,
    });
    return new Bench(backend, proxy, pool, leftovers);
  }

  /** Borrows, and asks for the session. */
  visit(options = PATIENT): Promise<string> {
    return this.pool.use(resource => this.backend.session(resource), options);
  }

  /** Until a visit succeeds again: a pool by key tries only when it is asked, and not before its back-off is over. */
  async comeback(): Promise<void> {
    await until(
      () => this.visit().catch(() => undefined),
      session => session !== undefined,
    );
  }

  async idle(count = 1): Promise<void> {
    await until(
      () => this.pool.stats().idle,
      idle => idle === count,
    );
  }

  /** Everything ends: nothing is left, neither here nor at the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.restore();
    await this.pool.close({ timeout: 0 });
    await until(
      () => this.proxy.clients,
      clients => clients === 0,
    );
    await this.proxy[Symbol.asyncDispose]();
    await this.backend.start();
    await until(
      () => this.backend.sessions(),
      sessions => sessions.length === 0,
    );
    const left = await until(
      () => this.leftovers.found(),
      found => found.length === 0,
      2_000,
    ).catch((error: unknown) => [String(error)]);
    this.leftovers[Symbol.dispose]();
    expect(left).toEqual([]);
    expect(this.pool.stats()).toMatchObject({ total: 0, abandoned: 0, waiting: 0 });
  }
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    value => Promise.reject(new Error(`succeeded: ${String(value)}`)),
    (error: unknown) => error,
  );

/** Leaves a case out where a subject says that it cannot be meant. */
const itWhere = (possible = true): ((name: string, test: () => Promise<void>) => void) =>
  possible ? it : () => undefined;

/** What every ready-made resource keeps, tried on its real server. */
export function keepsTheContract<T>(subject: Subject<T>): void {
  if (subject.missing !== undefined) {
    console.warn(`skipped: needs ${subject.missing}`);
    describe.skip(`${subject.name} (skipped: needs ${subject.missing})`, () => {
      it('keeps the contract', () => undefined);
    });
    return;
  }

  describe(subject.name, () => {
    let backend: Backend<T>;
    beforeAll(async () => {
      backend = await subject.open();
    });
    afterAll(async () => {
      await backend[Symbol.asyncDispose]();
    });

    it('is made once, and used again', async () => {
      await using bench = await Bench.open(backend);
      const sessions = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) sessions.add(await bench.visit());
      expect([...sessions]).toEqual(await backend.sessions());
      expect(bench.pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
    });

    itWhere(subject.canBeValidated)('stays, when it was idle and is looked at', async () => {
      await using bench = await Bench.open(backend, SUSPICIOUS);
      const first = await bench.visit();
      for (let round = 0; round < ROUNDS; round++) {
        await bench.idle();
        expect(await bench.visit()).toBe(first);
      }
    });

    itWhere(subject.canBeStained)('is as new for the next one', async () => {
      await using bench = await Bench.open(backend);
      await bench.pool.use(async resource => {
        expect(await backend.isStained!(resource)).toBe(false);
        await backend.stain!(resource);
        expect(await backend.isStained!(resource)).toBe(true);
      });
      expect(await bench.pool.use(resource => backend.isStained!(resource), PATIENT)).toBe(false);
    });

    it('that cannot be made is a failed create with a cause, and made when it can be', async () => {
      await using bench = await Bench.open(backend, { unavailableAfter: 2 });
      bench.proxy.refuse();
      const error = await failureOf(bench.pool.acquire(PATIENT));
      expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE' });
      expect((error as Error).cause).toMatchObject(AN_ERROR);
      expect(bench.pool.stats().creating).toBeLessThanOrEqual(1);
      await bench.proxy.reopen();
      await until(
        () => bench.pool.stats().state,
        state => state === 'ready',
      );
      await bench.comeback();
    });

    itWhere(subject.canHangWhenMade)(
      'that takes too long to be made is given up, and leaves no socket',
      async () => {
        await using bench = await Bench.open(backend, { createTimeout: 100, unavailableAfter: 1 });
        bench.proxy.blackhole('new');
        const error = await failureOf(bench.pool.acquire(PATIENT));
        expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE' });
        await bench.pool.close({ timeout: 0 });
        await until(
          () => bench.proxy.clients,
          clients => clients === 0,
        );
      },
    );

    itWhere(subject.canHangWhenMade)('that is being made when its pool closes leaves no socket', async () => {
      await using bench = await Bench.open(backend);
      bench.proxy.blackhole('new');
      const waiter = failureOf(bench.pool.acquire(PATIENT));
      await until(
        () => bench.proxy.clients,
        clients => clients === 1,
      );
      await bench.pool.close({ timeout: 0 });
      expect(await waiter).toMatchObject({ code: 'POOL_CLOSED' });
    });

    it('that breaks while it is idle is replaced, and no borrower notices', async () => {
      await using bench = await Bench.open(backend);
      const first = await bench.visit();
      await bench.idle();
      await backend.kill(first);
      await until(
        () => bench.pool.stats().idle,
        idle => idle === 0,
      );
      expect(await bench.visit()).not.toBe(first);
    });

    itWhere(subject.canBeValidated)(
      'that falls silent while it is idle is found out, and no borrower notices',
      async () => {
        await using bench = await Bench.open(backend, { ...SUSPICIOUS, validateTimeout: 100 });
        const first = await bench.visit();
        await bench.idle();
        bench.proxy.blackhole('old');
        expect(await bench.visit()).not.toBe(first);
      },
    );

    it('that breaks while it is lent fails its borrower, who is told, and goes to nobody else', async () => {
      await using bench = await Bench.open(backend);
      const lease = await bench.pool.acquire();
      const first = await backend.session(lease.resource);
      const slow = failureOf(backend.slow(lease.resource, 30_000));
      await until(
        () => backend.running(),
        running => running === 1,
      );
      await backend.kill(first);
      expect(await slow).toMatchObject(AN_ERROR);
      await until(
        () => lease.broken,
        broken => broken,
      );
      expect(await failureOf(backend.session(lease.resource))).toMatchObject(AN_ERROR);
      lease.release();
      expect(await bench.visit()).not.toBe(first);
      expect(bench.pool.stats().totals.destroyedBy).toEqual({ invalid: 1 });
    });

    it('that breaks while it is lent, and nothing is asked of it, is known to be broken', async () => {
      await using bench = await Bench.open(backend);
      const lease = await bench.pool.acquire();
      const first = await backend.session(lease.resource);
      await backend.kill(first);
      await until(
        () => lease.broken,
        broken => broken,
      );
      lease.release();
      expect(await bench.visit()).not.toBe(first);
    });

    it('comes back when its server has been stopped and started, one for each place', async () => {
      await using bench = await Bench.open(backend, { max: 3 });
      const leases = await Promise.all([1, 2, 3].map(() => bench.pool.acquire()));
      await Promise.all(leases.map(({ resource }) => backend.session(resource)));
      leases[0]!.release();
      await backend.stop();
      for (const lease of leases.slice(1)) {
        await until(
          () => lease.broken,
          broken => broken,
        );
        lease.release();
      }
      // Also of the one that was idle, whose end is heard a moment before or after that of the others.
      await until(
        () => bench.pool.stats().idle,
        idle => idle === 0,
      );
      // What needs no word of its server is made, by the network before it, and then fails in its borrower's hands.
      const code = subject.canHangWhenMade === false ? {} : { code: expect.stringMatching('^POOL_') };
      expect(await failureOf(bench.visit())).toMatchObject({ ...AN_ERROR, ...code });
      await backend.start();
      await bench.comeback();
      const again = await Promise.all([1, 2, 3].map(() => bench.pool.acquire(PATIENT)));
      const sessions = await Promise.all(again.map(({ resource }) => backend.session(resource)));
      expect(new Set(sessions).size).toBe(3);
      expect((await backend.sessions()).sort()).toEqual(sessions.sort());
      for (const lease of again) lease.release();
    });

    it('that is destroyed while a command runs is gone at the server too, and so is the command', async () => {
      await using bench = await Bench.open(backend);
      const lease = await bench.pool.acquire();
      const first = await backend.session(lease.resource);
      const slow = failureOf(backend.slow(lease.resource, 30_000));
      await until(
        () => backend.running(),
        running => running === 1,
      );
      lease.destroy();
      expect(await slow).toMatchObject(AN_ERROR);
      await until(
        () => backend.sessions(),
        sessions => !sessions.includes(first),
      );
      expect(await backend.running()).toBe(0);
      expect(await bench.visit()).not.toBe(first);
    });

    it('that is given back while a command runs has no late answer for the next borrower', async () => {
      await using bench = await Bench.open(backend);
      for (let round = 0; round < ROUNDS; round++) {
        const lease = await bench.pool.acquire(PATIENT);
        const slow = backend.slow(lease.resource, round * 2).catch(() => undefined);
        if (round % 3 === 0) await new Promise(resolve => setImmediate(resolve));
        lease.release();
        const next = await bench.pool.acquire(PATIENT);
        const session = await backend.session(next.resource);
        // Had it been the answer to something else, this would be one too.
        expect(await backend.session(next.resource)).toBe(session);
        expect(await backend.sessions()).toContain(session);
        next.release();
        await slow;
      }
    });

    itWhere(subject.canBeMisused)('that is given back while a command hangs holds nobody up', async () => {
      await using bench = await Bench.open(backend, { resetTimeout: 60_000 });
      const lease = await bench.pool.acquire();
      await backend.session(lease.resource);
      const slow = backend.slow(lease.resource, 30_000).catch((error: unknown) => error);
      await until(
        () => backend.running(),
        running => running === 1,
      );
      lease.release();
      // A reset may take longer; so it is not what has ended this.
      await bench.visit({ timeout: 20_000 });
      await until(
        () => backend.running(),
        running => running === 0,
      );
      await slow;
    });

    itWhere(subject.canBeMisused)('cannot be used any more once it has been given back', async () => {
      await using bench = await Bench.open(backend);
      const lease = await bench.pool.acquire();
      const { resource } = lease;
      const session = await backend.session(resource);
      lease.release();
      expect(await failureOf(backend.session(resource))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
      expect(await failureOf(backend.slow(resource, 1_000))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
      // The next borrower has the same one, and that is not disturbed.
      await bench.pool.use(async next => {
        expect(await backend.session(next)).toBe(session);
        expect(await failureOf(backend.session(resource))).toMatchObject({ code: 'POOL_LEASE_RELEASED' });
        expect(await backend.session(next)).toBe(session);
      }, PATIENT);
    });

    it('goes when its network is cut, and again when it is cut again', async () => {
      await using bench = await Bench.open(backend, { max: 3 });
      const seen = new Set<string>();
      for (let round = 0; round < 5; round++) {
        const sessions = await Promise.all([1, 2, 3].map(() => bench.visit()));
        for (const session of sessions) seen.add(session);
        // What is connecting just now may not have got as far as the network that is cut.
        await until(
          () => bench.pool.stats().creating,
          creating => creating === 0,
        );
        bench.proxy.resetAll();
        await until(
          () => bench.pool.stats().total,
          total => total === 0,
        );
      }
      expect(seen.size).toBeGreaterThanOrEqual(5);
    });
  });
}
