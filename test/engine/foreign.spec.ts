import { describe, expect, it, jest } from '@jest/globals';
import { Pool, type AcquireSignal } from '../../src/engine/index.js';
import { follow } from '../support/follow.js';
import { checkPoolsAfterEach, scriptedPool } from '../support/invariants.js';
import { turn } from '../support/manual-clock.js';
import { slow } from '../support/scripted-factory.js';

// What users' own objects may do to a pool.

checkPoolsAfterEach();

/** What Node.js is given to warn of while something runs. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const spy = jest.spyOn(process, 'emitWarning').mockReturnValue();
  await work();
  const warnings = spy.mock.calls.map(([message]) => String(message));
  spy.mockRestore();
  return warnings;
}

describe('a signal of foreign make', () => {
  const foreign = (members: Partial<AcquireSignal>): AcquireSignal => ({
    reason: undefined,
    throwIfAborted: () => undefined,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    ...members,
  });
  const broken = (): never => {
    throw new Error('no more listeners');
  };

  it('that refuses listeners fails its acquire, and leaves nobody in the queue', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const held = await pool.acquire();
    const signal = foreign({ addEventListener: broken });
    await expect(pool.acquire({ signal, timeout: Infinity })).rejects.toThrow('no more listeners');
    expect(pool.stats().waiting).toBe(0);
    held.release();
    await turn();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  it('that does not let go of listeners does not keep the lease from its borrower', async () => {
    const { pool } = scriptedPool({ max: 1 });
    const held = await pool.acquire();
    const next = follow(pool.acquire({ signal: foreign({ removeEventListener: broken }) }));
    held.release();
    await turn();
    expect(next.state).toBe('fulfilled');
    next.value!.release();
  });
});

describe('one signal for many acquires', () => {
  it('has one listener, and none when all are served', async () => {
    const { pool, factory } = scriptedPool({ create: slow, max: 20 });
    const abort = new AbortController();
    const { signal } = abort;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]) => {
      listeners++;
      (addEventListener as (...all: unknown[]) => void).apply(signal, args);
    };
    signal.removeEventListener = (...args: unknown[]) => {
      listeners--;
      (removeEventListener as (...all: unknown[]) => void).apply(signal, args);
    };
    const all = Array.from({ length: 15 }, () => pool.acquire({ signal }));
    expect(listeners).toBe(1);
    factory.finish();
    for (const lease of await Promise.all(all)) lease.release();
    expect(listeners).toBe(0);
  });

  it('ends the wait of all of them, and of no others', async () => {
    const { pool } = scriptedPool({ create: slow });
    const abort = new AbortController();
    const all = [1, 2, 3].map(() => follow(pool.acquire({ signal: abort.signal })));
    const other = follow(pool.acquire());
    abort.abort(new Error('enough'));
    await turn();
    for (const { error } of all) expect(error).toMatchObject({ message: 'enough' });
    expect(other.state).toBe('pending');
    expect(pool.stats().waiting).toBe(1);
  });
});

describe('a destroy that closes the pool during an acquire', () => {
  it.each([0, Infinity])('has it refused, not queued (timeout %p)', async timeout => {
    let closed: Promise<void> | undefined;
    const { pool, clock } = scriptedPool({
      max: 1,
      maxLifetime: 500,
      lifetimeJitter: 0,
      destroy: () => {
        closed = pool.close();
      },
    });
    (await pool.acquire()).release();
    clock.block(1_000);
    await expect(pool.acquire({ timeout })).rejects.toMatchObject({ code: 'POOL_CLOSED' });
    await closed;
  });
});

describe('a listener that throws', () => {
  it('is told of once an event, and of nothing else', async () => {
    let calls = 0;
    const listener = {
      onCreate: () => {
        throw new Error('no such metric');
      },
      onAcquire: async () => {
        calls++;
        await Promise.reject(new Error('rejected'));
      },
    };
    const pool = new Pool({ create: () => ({}), listeners: [listener, { onAcquire: () => undefined }] });
    const warnings = await warningsOf(async () => {
      for (let i = 0; i < 3; i++) (await pool.acquire()).release();
      await pool.close();
    });
    expect(calls).toBe(3);
    expect(warnings.map(message => message.split('. ')[0])).toEqual([
      'A listener of a pool has failed in onCreate: no such metric',
      'A listener of a pool has failed in onAcquire: rejected',
    ]);
  });
});
