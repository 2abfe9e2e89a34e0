import { inspect } from 'node:util';
import { expect, it } from '@jest/globals';
import {
  Pool,
  PoolUnavailableError,
  type PoolStats,
  type ResourceFactory,
} from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { MuteServer } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

/** A recipe, and the server that it is tried on. */
export interface Subject<T> {
  /** Where the real server listens. */
  port(): number;
  /** The factory of the recipe, for a server on this port of this machine. */
  factory(port: number): ResourceFactory<T>;
  /** One round trip, as a borrower would make it. */
  work(resource: T): Promise<unknown>;
  /** The connections that the server itself counts now; without it, those that a proxy before it counts. */
  connections?(): number;
  /** What no error may show. */
  readonly secret?: string;
}

/** Silence is found out after so many milliseconds. */
const PATIENCE = 300;

/** What every recipe that pools connections has to do. */
export function itKeepsTheContract<T>(subject: Subject<T>): void {
  const untilConnections = (proxy: TcpProxy, count: number): Promise<number> =>
    until(
      () => subject.connections?.() ?? proxy.open,
      seen => seen === count,
    );

  it('makes one connection for a hundred borrows', async () => {
    await using proxy = await TcpProxy.before(subject.port());
    await using pool = new Pool({ factory: subject.factory(proxy.port), max: 1, validateAfterIdle: 0 });
    for (let i = 0; i < 100; i++) await pool.use(resource => subject.work(resource));
    await untilConnections(proxy, 1);
    expect(proxy.attempts).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('replaces what has broken while it was idle, and no borrower notices', async () => {
    await using proxy = await TcpProxy.before(subject.port());
    await using pool = new Pool({
      factory: subject.factory(proxy.port),
      max: 1,
      validateAfterIdle: Infinity,
    });
    await pool.use(resource => subject.work(resource));
    await untilIdle(pool, 1);
    proxy.resetAll();
    await untilIdle(pool, 0);
    await pool.use(resource => subject.work(resource));
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { invalid: 1 } });
  });

  it('replaces what has fallen silent, when it is validated', async () => {
    await using proxy = await TcpProxy.before(subject.port());
    await using pool = new Pool({
      ...{ factory: subject.factory(proxy.port), max: 1, validateAfterIdle: 0 },
      ...{ validateTimeout: PATIENCE, destroyTimeout: 5_000 },
    });
    await pool.use(resource => subject.work(resource));
    await untilIdle(pool, 1);
    proxy.blackhole('old');
    await pool.use(resource => subject.work(resource));
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { invalid: 1 } });
    await until(
      () => pool.stats(),
      ({ closing, abandoned }) => closing + abandoned === 0,
    );
  });

  it('destroys what has broken in the hands of its borrower', async () => {
    await using proxy = await TcpProxy.before(subject.port());
    await using pool = new Pool({ factory: subject.factory(proxy.port), max: 1 });
    const error = await failureOf(
      pool.use(async resource => {
        await subject.work(resource);
        proxy.resetAll();
        await subject.work(resource);
      }),
    );
    expect(error).toHaveProperty('message');
    await pool.use(resource => subject.work(resource));
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
  });

  it('fails to create on a port that nobody listens on', async () => {
    await using proxy = await TcpProxy.before(subject.port());
    proxy.refuse();
    await using pool = new Pool({ factory: subject.factory(proxy.port), unavailableAfter: 1 });
    const error = await failureOf(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect(pool.stats().totals).toMatchObject({ created: 0, createFailed: 1 });
    if (subject.secret) expect(inspect(error, { depth: 9 })).not.toContain(subject.secret);
    await proxy.reopen();
  });

  it('leaves no socket when it is aborted while it connects', async () => {
    await using mute = await MuteServer.listen();
    const pool = new Pool({ factory: subject.factory(mute.port), destroyTimeout: 5_000 });
    const acquired = failureOf(pool.acquire());
    await mute.accepted();
    await pool.close({ timeout: 0 });
    await acquired;
    await until(
      () => mute.sockets.filter(socket => !socket.closed).length,
      open => open === 0,
    );
    expect(mute.sockets).toHaveLength(1);
  });

  it('leaves nothing behind: no session at the server, no socket, no timer', async () => {
    const before = activeResources();
    {
      await using proxy = await TcpProxy.before(subject.port());
      await using pool = new Pool({ factory: subject.factory(proxy.port), min: 2, max: 2 });
      await pool.start();
      await pool.use(resource => subject.work(resource));
      await pool.close();
      await untilConnections(proxy, 0);
    }
    await until(
      () => activeResources(),
      now => now.length <= before.length,
    );
  });
}

export async function untilIdle(pool: { stats(): PoolStats }, count: number): Promise<void> {
  await until(
    () => pool.stats().idle,
    idle => idle === count,
  );
}

function activeResources(): string[] {
  return process.getActiveResourcesInfo().filter(kind => /^(TCP|TLS|Timeout)/.test(kind));
}
