import type { Socket } from 'node:net';
import { beforeEach, expect, it } from '@jest/globals';
import type pg from 'pg';
import { failureOf } from '../../support/follow.js';
import { MAX } from './subjects.js';
import { overBothPools } from './world.js';

/** In the place of `it`, for what a library does not have: there is nothing to be skipped. */
const without = (_name: string, _test: () => Promise<void>): void => undefined;

/** What a library does to the table `users`, by its own means. */
export interface Queries {
  insert(name: string): Promise<unknown>;
  /** The names that there are, in the order of the alphabet. */
  names(): Promise<string[]>;
  /** The server's process that answers. */
  pid(): Promise<number>;
}

export interface Transaction extends Queries {
  /** A transaction in the transaction: a savepoint. */
  nested?: (work: (inner: Queries) => Promise<void>) => Promise<void>;
}

export interface Library extends Queries {
  /** By a parameter. */
  find(name: string): Promise<string | undefined>;
  transaction(work: (transaction: Transaction) => Promise<void>): Promise<void>;
  /** As `names`, but not all at once. */
  stream?: () => AsyncIterable<string>;
  close(): Promise<unknown>;
}

export interface Driver {
  readonly name: string;
  readonly savepoints: boolean;
  readonly streams: boolean;
  /** Its `close` ends the pool that it was given. */
  readonly endsPool: boolean;
  /** Why it never gives a connection back that has died, before BEGIN or at any time in a transaction. */
  readonly leaks?: { readonly when: 'before BEGIN' | 'in a transaction'; readonly why: string };
  open(pool: pg.Pool): Promise<Library>;
}

/** What every library must be able to do with a pool that it was given, and what must be left of that. */
export function servesLibrary(driver: Driver): void {
  overBothPools(driver.name, world => {
    let library: Library;
    let closed: boolean;

    beforeEach(async () => {
      library = await driver.open(world.subject.pool);
      closed = false;
      world.later(close);
    });
    const close = async (): Promise<void> => {
      if (!closed) await library.close();
      closed = true;
    };
    const inserts = (...names: string[]): Promise<unknown[]> =>
      Promise.all(names.map(name => library.insert(name)));
    /** A transaction that ends otherwise than by COMMIT. */
    const fails = async (work: (transaction: Transaction) => Promise<void>): Promise<unknown> => {
      const error = await failureOf(library.transaction(work));
      await world.untilNobodyWaits();
      return error;
    };

    /** With ours the place comes back by itself. */
    const leaks = (when: 'before BEGIN' | 'in a transaction'): boolean =>
      !world.subject.ours && (driver.leaks?.when === when || driver.leaks?.when === 'in a transaction');
    /** Is one place less for as long as the process lives. */
    const expectLeak = (): void => {
      expect(world.subject.busy()).toBe(1);
      world.forget();
    };

    it('queries, with parameters', async () => {
      const strange = `'); drop table users; -- \\ $1 "ü"`;
      await library.insert(strange);
      expect(await library.find(strange)).toBe(strange);
      expect(await library.find('nobody')).toBeUndefined();
    });

    it('commits a transaction', async () => {
      await library.transaction(async transaction => {
        await transaction.insert('Ada');
        expect(await world.watch.sql('select name from users')).toEqual([]);
        expect(await transaction.names()).toEqual(['Ada']);
        expect(await transaction.pid()).toBe(await transaction.pid());
      });
      expect(await library.names()).toEqual(['Ada']);
    });

    it('rolls a transaction back whose work has thrown', async () => {
      const thrown = new Error('no');
      const error = await fails(async transaction => {
        await transaction.insert('Ada');
        throw thrown;
      });
      expect(error).toBe(thrown);
      expect(await library.names()).toEqual([]);
    });

    const itWithSavepoints = driver.savepoints ? it : without;
    itWithSavepoints('goes back to a savepoint', async () => {
      await library.transaction(async ({ insert, nested }) => {
        await insert('Ada');
        await nested!(async inner => {
          await inner.insert('Grace');
        });
        await failureOf(
          nested!(async inner => {
            await inner.insert('Edsger');
            await inner.insert('Ada');
          }),
        );
      });
      expect(await library.names()).toEqual(['Ada', 'Grace']);
    });

    const itWithStreams = driver.streams ? it : without;
    itWithStreams('streams, also to who does not read to the end', async () => {
      await world.watch.sql(
        `insert into users (name) select to_char(i, 'FM000') from generate_series(1, 500) i`,
      );
      const stream = library.stream!.bind(library);
      let seen = 0;
      for await (const name of stream()) expect(Number(name)).toBe(++seen);
      expect(seen).toBe(500);
      for await (const name of stream()) {
        if (name === '007') break;
      }
      await world.untilNobodyWaits();
    });

    it('is of use after statements that have failed, which cost no connection of ours', async () => {
      await inserts('Ada', 'Grace', 'Edsger');
      const before = await world.connections();
      await failureOf(library.insert('Ada'));
      await fails(async transaction => {
        await transaction.insert('Barbara');
        await transaction.insert('Ada');
      });
      await library.insert('Barbara');
      expect(await library.names()).toEqual(['Ada', 'Barbara', 'Edsger', 'Grace']);
      if (world.subject.ours) expect(await world.connections()).toEqual(before);
    });

    it('does not notice that idle connections have died', async () => {
      await inserts('Ada', 'Grace', 'Edsger');
      await world.untilNobodyWaits();
      await world.killIdle();
      expect(await library.names()).toEqual(['Ada', 'Edsger', 'Grace']);
    });

    it('is of use after a connection has died in a transaction', async () => {
      const dies = (): Promise<unknown> =>
        failureOf(
          library.transaction(async transaction => {
            await transaction.insert('Ada');
            await world.watch.terminate(await transaction.pid());
            await transaction.insert('Grace');
          }),
        );
      if (leaks('in a transaction')) {
        await dies();
        expectLeak();
        return;
      }
      for (let i = 0; i < MAX + 1; i++) {
        await dies();
        await world.untilNobodyWaits();
      }
      expect(await library.names()).toEqual([]);
    });

    it('has at most the connections that there may be, however many ask', async () => {
      const work = Array.from({ length: 20 }, async (_, i) => {
        if (i % 2) await library.insert(String(i).padStart(2, '0'));
        else
          await library.transaction(async ({ insert }) => {
            await insert(String(i).padStart(2, '0'));
          });
      });
      await world.neverAboveMax(Promise.all(work));
      expect(await library.names()).toHaveLength(20);
      expect(await world.connections()).toHaveLength(MAX);
    });

    it('gives a connection back that has died before BEGIN', async () => {
      await library.insert('Ada');
      world.subject.pool.once('acquire', client => {
        (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
      });
      await failureOf(library.transaction(async () => {}));
      if (leaks('before BEGIN')) {
        expectLeak();
        return;
      }
      await world.untilNobodyWaits();
      expect(await library.names()).toEqual(['Ada']);
    });

    it(`is closed ${driver.endsPool ? 'and ends the pool, but not ours' : 'and leaves the pool as it is'}`, async () => {
      await library.insert('Ada');
      await close();
      const { pool, ours } = world.subject;
      if (driver.endsPool) expect(await failureOf(pool.query('select'))).toBeInstanceOf(Error);
      else expect((await pool.query('select name from users')).rows).toEqual([{ name: 'Ada' }]);
      if (!ours) return;
      const { rows } = await ours.use(client => client.query('select name from users'));
      expect(rows).toEqual([{ name: 'Ada' }]);
    });
  });
}
