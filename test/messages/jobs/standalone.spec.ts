import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Borrowed } from '../../../src/index.js';
import { BorrowScopes, getBorrowedToken } from '../../../src/index.js';
import type { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench } from '../../support/jobs.js';

describe('a script with an application context', () => {
  it('has a scope for a block of its own, and for each piece of work', async () => {
    await using bench = await JobBench.start({});
    bench.stage.openAll();
    const scopes = bench.app.get(BorrowScopes);
    {
      await using scope = scopes.open();
      const thing = await scope.get(bench.app.get<Borrowed<Thing>>(getBorrowedToken('things')));
      expect(await scope.run(() => bench.labour.do('in the block'))).toBe(thing.use());
      expect(await scopes.run(() => bench.labour.do('beside it'))).not.toBe(thing.id);
    }
    expect(bench.leased()).toBe(0);
    await failureOf(scopes.run(() => bench.labour.do('fails')));
    expect(bench.leased()).toBe(0);
  });
});

describe('a command of nest-commander', () => {
  const program = new URL('../../fixtures/command-app.mjs', import.meta.url).pathname;

  it.each([
    ['order', 'order: 1 lent\nafter it: 0 lent\n'],
    ['fails', 'fails: 1 lent\nfailed: fails\nafter it: 0 lent\n'],
  ])('has a scope until it has run (%s)', async (name, said) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'ship', name]);
    expect(stdout).toBe(said);
  });
});
