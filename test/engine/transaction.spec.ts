import { describe, expect, it } from '@jest/globals';
import {
  KeyedPool,
  Pool,
  PoolOptionsError,
  type Handle,
  type OpenTransaction,
} from '../../src/engine/index.js';

/** A resource that writes down what is done to it. */
interface Book {
  readonly said: string[];
}

const transaction = (said: string[], name = 'tx'): OpenTransaction => ({
  commit: () => said.push(`commit ${name}`),
  rollback: () => said.push(`roll back ${name}`),
  begin: () => transaction(said, `${name}'`),
  run: work => {
    said.push(`run in ${name}`);
    return work();
  },
});

const factory = () => {
  const said: string[] = [];
  return {
    said,
    create: (): Book => ({ said }),
    handle: (book: Book): Handle<Book> => {
      const resource = { said: book.said };
      return { resource, revoke: () => said.push('revoked') };
    },
    begin: (handle: Book, options: object, whole: boolean) => {
      said.push(`begin ${JSON.stringify(options)}${whole ? ' for all' : ''}`);
      return transaction(handle.said);
    },
  };
};

describe('a transaction on a lease', () => {
  it('is committed once, and rolled back no more', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool(members);
    using lease = await pool.acquire();
    const tx = await lease.begin({ isolation: 'serializable' });
    expect(tx.state).toBe('open');
    await tx.commit();
    expect(tx.state).toBe('committed');
    await tx.rollback();
    await expect(tx.commit()).rejects.toThrow('has been committed');
    expect(said).toEqual(['begin {"isolation":"serializable"}', 'commit tx']);
  });

  it('is rolled back at the end of its block unless it was committed, also when that fails', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool({
      ...members,
      begin: () => ({
        ...transaction(said),
        rollback: () => {
          said.push('rollback fails');
          throw new Error('gone');
        },
      }),
    });
    using lease = await pool.acquire();
    {
      await using tx = await lease.begin();
      expect(tx.state).toBe('open');
    }
    expect(said).toEqual(['rollback fails']);
  });

  it('has not been committed when the commit fails, and is not rolled back on top of that', async () => {
    const { said, ...members } = factory();
    const lost = new Error('lost');
    await using pool = new Pool({
      ...members,
      begin: () => ({ ...transaction(said), commit: () => Promise.reject(lost) }),
    });
    using lease = await pool.acquire();
    const tx = await lease.begin();
    await expect(tx.commit()).rejects.toBe(lost);
    expect(tx.state).toBe('failed');
    await tx.rollback();
    expect(said).toEqual([]);
  });

  it('can have others within it, and runs work as a part of it', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool(members);
    using lease = await pool.acquire();
    const tx = await lease.begin({}, true);
    const inner = await tx.begin();
    expect(inner.run(() => 7)).toBe(7);
    await inner.rollback();
    await tx.commit();
    expect(said).toEqual(['begin {} for all', "run in tx'", "roll back tx'", 'commit tx']);
  });

  it('runs work as it is, and has none within it, where the resource knows nothing of that', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool({
      ...members,
      begin: () => ({ commit: () => said.push('commit'), rollback: () => undefined }),
    });
    using lease = await pool.acquire();
    const tx = await lease.begin();
    expect(tx.run(() => 7)).toBe(7);
    await expect(tx.begin()).rejects.toThrow('no transactions within transactions');
    await tx.commit();
    expect(said).toEqual(['commit']);
  });

  it('is refused where the factory has none, and after the lease has ended', async () => {
    await using pool = new Pool({ create: () => ({}), name: 'plain' });
    expect(pool.hasTransactions).toBe(false);
    const lease = await pool.acquire();
    const error = await lease.begin().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PoolOptionsError);
    expect((error as Error).message).toContain('Pool "plain": its resources have no transactions');
    lease.release();
    await expect(lease.begin()).rejects.toMatchObject({ code: 'POOL_LEASE_RELEASED' });
  });

  it('is there for each key of a keyed pool', async () => {
    const { said, ...members } = factory();
    await using pool = new KeyedPool<string, Book>({ ...members, maxTotal: 1 });
    expect(pool.hasTransactions).toBe(true);
    using lease = await pool.acquire('a');
    await (await lease.begin({ readOnly: true })).commit();
    expect(said).toEqual(['begin {"readOnly":true}', 'commit tx']);
  });
});

describe('who shares a lease', () => {
  it('has a handle of its own, all of which are withdrawn with it', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool(members);
    const lease = await pool.acquire();
    const first = lease.share();
    expect(first).toBe(lease.resource);
    const second = lease.share();
    expect(second).not.toBe(first);
    expect(lease.resource).toBe(first);
    lease.release();
    expect(said).toEqual(['revoked', 'revoked']);
    expect(() => lease.share()).toThrow('this lease has been released');
  });

  it('has none in common with a transaction, which has one of its own', async () => {
    const { said, ...members } = factory();
    await using pool = new Pool(members);
    const lease = await pool.acquire();
    const tx = await lease.begin();
    expect(lease.share()).not.toBe(tx.resource);
    lease.release();
    expect(said.filter(one => one === 'revoked')).toHaveLength(2);
  });

  it('has the resource itself where there are no handles', async () => {
    await using pool = new Pool({ create: () => ({}) });
    using lease = await pool.acquire();
    expect(lease.share()).toBe(lease.resource);
    expect(lease.share()).toBe(lease.resource);
  });
});
