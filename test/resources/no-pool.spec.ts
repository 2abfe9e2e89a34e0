import { describe, expect, it } from '@jest/globals';
import { Pool } from '../../src/engine/index.js';
import { mysqlFacade, mysqlPool } from '../../src/resources/mysql.js';
import { listen, pgDatabase, pgFacade, pgPool } from '../../src/resources/pg.js';

/** What may come instead: an injection that has failed, options of a pool, a pool that is still to come. */
const NO_POOLS: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a name', 'orders-db'],
  ['options of pg', pgPool({ host: 'db' })],
  ['options of mysql', mysqlPool({ host: 'db' })],
  ['a promise', Promise.resolve({})],
];

describe('what needs a pool', () => {
  it.each(NO_POOLS)('says so when it gets %s', async (_, pool) => {
    expect(() => pgDatabase(pool as never)).toThrow(/^pgDatabase\(\) needs a pool, .*first argument/);
    expect(() => mysqlFacade(pool as never)).toThrow(/^mysqlFacade\(\) needs a pool, .*first argument/);
    await expect(listen(pool as never, 'news', () => undefined)).rejects.toThrow(/^listen\(\) needs a pool/);
  });

  it('names the pool that is one, but of something else', async () => {
    await using browsers = new Pool({ name: 'browsers', create: () => ({}) });
    expect(() => pgFacade(browsers as never)).toThrow(
      'pgFacade() needs a pool of pgPool(), which "browsers" is not',
    );
  });
});
