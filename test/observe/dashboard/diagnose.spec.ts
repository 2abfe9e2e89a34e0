import { describe, expect, test } from '@jest/globals';
import { diagnose } from '../../../src/dashboard/diagnose.js';
import type { Known, Now } from '../../../src/dashboard/facts.js';
import type { Sample } from '../../../src/dashboard/sample.js';

const calm: Sample = {
  at: 0,
  max: 10,
  leased: 3,
  idle: 7,
  creating: 0,
  validating: 0,
  waiting: 0,
  oldestWaitMs: 0,
  longestHeldMs: 8,
  acquired: 200,
  released: 200,
  created: 0,
  createFailed: 0,
  destroyed: 0,
  timedOut: 0,
  refused: 0,
  waitMs: 0,
  holdMs: 5,
  longHoldMs: 12,
  createMs: undefined,
};
const now: Now = {
  state: 'ready',
  backend: 'database',
  total: 10,
  failing: undefined,
  holders: [],
  known: alike('GET /a', 'GET /b', 'GET /c', 'GET /d'),
  leaks: [],
};
const full: Partial<Sample> = { leased: 10, idle: 0, waiting: 8, oldestWaitMs: 900 };

function alike(...routes: string[]): Known[] {
  return routes.map(who => ({ who, holds: 20 }));
}

function seconds(count: number, sample: Partial<Sample> = {}): Sample[] {
  return Array.from({ length: count }, () => ({ ...calm, ...sample }));
}

function holding(...list: [who: string | undefined, count: number, heldMs?: number][]): Now['holders'] {
  return list.flatMap(([who, count, heldMs = 20_000]) =>
    Array.from({ length: count }, () => ({ who, heldMs })),
  );
}

describe('the diagnosis of a pool says', () => {
  test('that all is well where nobody waits', () => {
    expect(diagnose(seconds(60), now)).toMatchObject({
      verdict: 'well',
      serious: false,
      title: 'All is well',
    });
  });

  test('that nobody borrows where nobody does', () => {
    const nothing = seconds(10, { leased: 0, acquired: 0, released: 0, holdMs: undefined });
    expect(diagnose(nothing, now).text).toBe('Nobody borrows at the moment; 7 resources are idle.');
  });

  test('that nothing is known where nothing was measured', () => {
    expect(diagnose([], now).verdict).toBe('starting');
  });

  test('busy where all are leased, somebody waits, and holds are as ever', () => {
    const { verdict, text } = diagnose([...seconds(60), ...seconds(10, full)], now);
    expect(verdict).toBe('busy');
    expect(text).toContain('10 of 10 are in use and 8 acquires wait; nobody holds for longer than usual');
  });

  test.each([
    [150, 'well'],
    [250, 'busy'],
  ])('of who has waited for %s ms: %s', (oldestWaitMs, verdict) => {
    expect(diagnose([...seconds(60), ...seconds(10, { ...full, oldestWaitMs })], now).verdict).toBe(verdict);
  });

  test.each([
    [250, 'busy'],
    [400, 'slow'],
  ])('of holds of %s ms where 100 are usual: %s', (holdMs, verdict) => {
    const usual = { holdMs: 100, longHoldMs: 150 };
    const longer = { ...full, holdMs, longHoldMs: holdMs * 1.5, longestHeldMs: holdMs };
    expect(diagnose([...seconds(60, usual), ...seconds(10, longer)], now).verdict).toBe(verdict);
  });

  test('who holds for too long, where one route does and the others do not', () => {
    const found = diagnose([...seconds(60), ...seconds(10, full)], {
      ...now,
      holders: holding(['GET /a', 9], ['GET /b', 1, 4]),
    });
    expect(found).toMatchObject({ verdict: 'held', serious: true, title: 'Held too long by GET /a' });
    expect(found.text).toContain(
      '9 resources are held by GET /a, the longest for 20 s. 3 other borrowers do not',
    );
  });

  test('who leaks, also while nobody has to wait for it yet', () => {
    const holders = holding(['GET /a', 1, 3_000]);
    expect(diagnose(seconds(60), { ...now, holders, leaks: holders })).toMatchObject({
      verdict: 'held',
      serious: false,
      title: 'Held too long by GET /a',
    });
  });

  test('nothing against a hold that is long and keeps nobody waiting', () => {
    expect(diagnose(seconds(60), { ...now, holders: holding(['GET /export', 1]) }).verdict).toBe('well');
  });

  test('slow database where many different borrowers hold for long at once', () => {
    const holders = holding(
      ['GET /a', 3, 5_000],
      ['GET /b', 3, 4_000],
      ['GET /c', 2, 3_000],
      ['GET /d', 2, 2_000],
    );
    const found = diagnose([...seconds(60), ...seconds(10, full)], { ...now, holders });
    expect(found).toMatchObject({ verdict: 'slow', title: 'Slow database' });
    expect(found.text).toContain('by 4 different borrowers (GET /a, GET /b, GET /c, …)');
  });

  test('slow database where holds have got longer across the board, though none is very long', () => {
    const found = diagnose([...seconds(60), ...seconds(10, { holdMs: 160, leased: 8 })], now);
    expect(found).toMatchObject({ verdict: 'slow', serious: false });
    expect(found.text).toBe(
      'Holds have got longer across the board: half of them took 5 ms, and take 160 ms now.',
    );
  });

  test('slow database where new connections take long', () => {
    const found = diagnose([...seconds(60, { createMs: 12 }), ...seconds(10, { createMs: 3_000 })], now);
    expect(found).toMatchObject({ verdict: 'slow' });
    expect(found.text).toBe('A new connection takes 3.0 s to be made; it took 12 ms.');
  });

  test('slow database where connections are in the making and none is there', () => {
    const making = seconds(8, { ...full, leased: 0, creating: 5, acquired: 0, holdMs: undefined });
    expect(diagnose(making, now)).toMatchObject({ verdict: 'slow', serious: true });
  });

  test('slow database where checks of idle connections take long', () => {
    const checking = seconds(10, { ...full, leased: 4, validating: 6 });
    expect(diagnose(checking, now).text).toContain('Checks of idle connections take long: 60 %');
  });

  test('dead database with class, code, since when and when it is tried again', () => {
    const failing = { attempts: 7, forMs: 65_000, error: 'Error ECONNREFUSED', retryInMs: 4_000 };
    const found = diagnose(seconds(60, { leased: 0, idle: 0 }), { ...now, state: 'unavailable', failing });
    expect(found).toMatchObject({ verdict: 'dead', serious: true, title: 'Dead database' });
    expect(found.text).toBe(
      'No connection can be made: Error ECONNREFUSED, for 65 s, 7 attempts in a row, the next one in 4.0 s.',
    );
    expect(found.next).toBe('Nothing listens there. Is the database running, and is its port right?');
  });

  test('dead before held: what is left is held for long because the database is gone', () => {
    const failing = { attempts: 3, forMs: 5_000, error: 'Error ETIMEDOUT', retryInMs: undefined };
    const found = diagnose(seconds(60, full), { ...now, failing, holders: holding(['GET /a', 10]) });
    expect(found.verdict).toBe('dead');
    expect(found.text).toContain('10 connections that were made before are still there');
  });

  test('nothing of a single attempt that failed', () => {
    const failing = { attempts: 1, forMs: 100, error: 'Error', retryInMs: 100 };
    expect(diagnose(seconds(60), { ...now, failing }).verdict).toBe('well');
  });

  test.each([
    ['error 28P01', 'refuses the password'],
    ['error 53300', 'is full'],
    ['Error ENOTFOUND', 'name of its host'],
    ['Error', 'is it running, can it be reached'],
  ])('what %s means', (error, hint) => {
    const failing = { attempts: 3, forMs: 1, error, retryInMs: 1 };
    expect(diagnose(seconds(3), { ...now, failing }).next).toContain(hint);
  });

  test('that it is not sure where only one borrower is known', () => {
    const found = diagnose(seconds(10, full), {
      ...now,
      known: alike('GET /a'),
      holders: holding(['GET /a', 10]),
    });
    expect(found).toMatchObject({ verdict: 'unsure', title: 'Held for long by GET /a' });
    expect(found.text).toContain('Nobody else borrows here');
  });

  test('that it is not sure where nobody has said who borrows', () => {
    const found = diagnose(seconds(10, full), { ...now, known: [], holders: holding([undefined, 10]) });
    expect(found.verdict).toBe('unsure');
    expect(found.next).toContain('leakThreshold');
  });

  test('that it is not sure where two of many hold alike', () => {
    const holders = holding(['GET /a', 5], ['GET /b', 5]);
    expect(diagnose(seconds(10, full), { ...now, holders }).verdict).toBe('unsure');
  });

  test('that it is not sure where somebody waits and nothing is in use', () => {
    expect(diagnose(seconds(10, { waiting: 2, oldestWaitMs: 900 }), now).verdict).toBe('unsure');
  });

  test.each([
    ['suspended', 'suspended'],
    ['draining', 'closing'],
    ['closed', 'closing'],
    ['starting', 'starting'],
  ] as const)('of a pool that is %s that it is', (state, verdict) => {
    expect(diagnose(seconds(10), { ...now, state }).verdict).toBe(verdict);
  });

  test('long only of what is much longer than usual: a pool whose work takes seconds is not slow', () => {
    const work = { ...full, holdMs: 5_000, longestHeldMs: 9_000 };
    const holders = holding(['GET /a', 3, 9_000], ['GET /b', 3, 8_000], ['GET /c', 4, 7_000]);
    expect(diagnose(seconds(90, work), { ...now, holders }).verdict).toBe('busy');
  });

  test('one route, whatever is asked of it: an id in its path makes no other borrower', () => {
    const holders = [188, 189, 190, 191].map(id => ({ who: `GET /orders/${id}`, heldMs: 20_000 }));
    const known = alike('GET /a', 'GET /b', 'GET /c').concat({ who: 'GET /orders/:id', holds: 6 });
    const found = diagnose([...seconds(60), ...seconds(10, full)], { ...now, known, holders });
    expect(found).toMatchObject({ verdict: 'held', title: 'Held too long by GET /orders/:id' });
    expect(found.text).toContain('3 other borrowers do not');
  });

  test('one route where all have acquired at the same place, and only a part of the path differs', () => {
    const stack = 'Error\n    at Teas.show (/shop/teas.js:12:3)';
    const holders = ['assam', 'earl-grey', 'ceylon', 'sencha'].map(tea => ({
      ...{ who: `GET /teas/${tea}`, heldMs: 20_000, stack },
    }));
    const found = diagnose([...seconds(60), ...seconds(10, full)], { ...now, holders });
    expect(found.title).toBe('Held too long by GET /teas/:id');
  });

  test('one place in the code where those who acquire there have names of their own', () => {
    const stack = 'Error\n    at Report.make (/shop/report.js:12:3)';
    const holders = ['Ada', 'Grace', 'Edsger'].map(who => ({ who, heldMs: 20_000, stack }));
    const found = diagnose([...seconds(60), ...seconds(10, full)], { ...now, holders });
    expect(found.title).toBe('Held too long by Report.make (report.js:12:3)');
  });

  test('slow database also where all routes acquire at one place, as with a transaction around each', () => {
    const stack = 'Error\n    at Transaction.intercept (/shop/transaction.js:12:3)';
    const holders = ['GET /a', 'GET /b', 'GET /c', 'GET /d'].map(who => ({ who, heldMs: 5_000, stack }));
    expect(diagnose([...seconds(60), ...seconds(10, full)], { ...now, holders }).verdict).toBe('slow');
  });
});

describe('it is no false alarm where', () => {
  const past = seconds(60);

  test('a burst of short holds has been and gone', () => {
    const burst = { leased: 10, idle: 0, waiting: 300, oldestWaitMs: 800 };
    const found = diagnose([...past, ...seconds(1, burst), ...seconds(1)], now);
    expect(found).toMatchObject({ verdict: 'busy', serious: false, title: 'Busy for a moment' });
    expect(diagnose([...past, ...seconds(1, burst), ...seconds(3)], now).verdict).toBe('well');
  });

  test('a single acquire has timed out in a pool that is not in use much', () => {
    expect(diagnose([...past, ...seconds(1, { timedOut: 1 }), ...seconds(1)], now).verdict).toBe('well');
  });

  test('holds are of two kinds, and some seconds have measured only long ones', () => {
    const mixed = Array.from({ length: 90 }, (_, i) => ({ ...calm, holdMs: i % 5 === 0 ? 200 : 5 }));
    expect(diagnose([...mixed, ...seconds(10, { holdMs: 200 })], now).verdict).toBe('well');
  });

  test('two seconds of a burst have longer holds', () => {
    const quiet = seconds(8, { holdMs: undefined });
    expect(diagnose([...past, ...quiet, ...seconds(2, { holdMs: 80 })], now).verdict).toBe('well');
  });

  test('the first connections take a little over a second, while the application warms up', () => {
    expect(diagnose(seconds(5, { createMs: 1_500 }), now).verdict).toBe('well');
    expect(diagnose(seconds(5, { createMs: 4_000 }), now).verdict).toBe('slow');
  });

  test('an export that always takes long holds one of ten, and the rest are busy', () => {
    const holders = holding(['GET /export', 1, 40_000], ['GET /a', 9, 4]);
    const found = diagnose([...past, ...seconds(10, full)], { ...now, holders });
    expect(found.verdict).toBe('busy');
    expect(found.text).toContain('1 hold is longer than a second, too few to explain it');
  });

  test('a pool of one is held for as long as its work takes, and nobody waits', () => {
    const one = seconds(60, { max: 1, leased: 1, idle: 0, acquired: 0, released: 0, holdMs: undefined });
    expect(diagnose(one, { ...now, holders: holding(['LISTEN', 1, 3_600_000]) }).verdict).toBe('well');
  });

  test('a pool of one is held by one of many: a slow database would look the same', () => {
    const one = { max: 1, leased: 1, idle: 0, waiting: 4, oldestWaitMs: 1_900, acquired: 0, released: 0 };
    const stuck = seconds(4, { ...one, longestHeldMs: 2_000 });
    const holders = holding(['GET /a', 1, 4_000]);
    const found = diagnose([...seconds(60, { max: 1 }), ...stuck], { ...now, holders });
    expect(found).toMatchObject({ verdict: 'unsure', title: 'Held for long by GET /a' });
    const rare = now.known.map(one => (one.who === 'GET /a' ? { ...one, holds: 1 } : one));
    expect(diagnose([...past, ...stuck], { ...now, holders, known: rare }).verdict).toBe('held');
  });

  test('all are held by the route that most requests are for: a slow database would look the same', () => {
    const known = [...alike('GET /b', 'GET /c'), { who: 'GET /a', holds: 900 }];
    const slow = { ...full, acquired: 3, released: 3 };
    const holders = holding(['GET /a', 3, 3_500], ['GET /a', 4, 2_500], ['GET /a', 3, 1_500]);
    const found = diagnose([...past, ...seconds(5, slow)], { ...now, known, holders });
    expect(found.verdict).toBe('unsure');
    // Unless others have come and gone while the first of them was held.
    const passed = { ...full, leased: 6, acquired: 200, released: 200 };
    const leaking = holding(['GET /a', 1, 20_000], ['GET /a', 9, 2_000]);
    const other = diagnose([...past, ...seconds(20, passed)], { ...now, known, holders: leaking });
    expect(other.verdict).toBe('held');
  });

  test('the pool is suspended, and nobody wants anything of it', () => {
    expect(diagnose(seconds(10), { ...now, state: 'suspended' }).serious).toBe(false);
    expect(diagnose(seconds(10, { waiting: 2 }), { ...now, state: 'suspended' }).serious).toBe(true);
  });

  test('the pool is being closed, and waits for what is held', () => {
    const holders = holding(['GET /a', 2]);
    const found = diagnose(seconds(10, full), { ...now, state: 'draining', holders });
    expect(found).toMatchObject({ verdict: 'closing', serious: false });
    expect(found.text).toContain('waits for what is still held: 2');
  });
});

describe('of a pool by key it says', () => {
  const keyed = { max: 2, waitedFor: ['acme'] };
  const some = { max: 100, leased: 6, idle: 0, waiting: 3, oldestWaitMs: 2_000 };

  test('whose share is held for too long, though there is much for others', () => {
    const holders = [
      ...holding(['GET /a', 2]).map(one => ({ ...one, key: 'acme' })),
      ...holding(['GET /b', 4]).map(one => ({ ...one, key: 'other' })),
    ];
    const found = diagnose([...seconds(60), ...seconds(10, some)], { ...now, keyed, holders });
    expect(found).toMatchObject({ verdict: 'held', title: 'Held too long by GET /a' });
    expect(found.text).toContain('2 resources are held for the key acme by GET /a');
  });

  test('for which key there is more demand than it may have', () => {
    const holders = holding(['GET /a', 2, 4]).map(one => ({ ...one, key: 'acme' }));
    const found = diagnose([...seconds(60), ...seconds(10, some)], { ...now, keyed, holders });
    expect(found.title).toBe('Busy: more demand for the key acme than 2 can serve');
  });

  test('whose database is dead', () => {
    const failing = { attempts: 3, forMs: 1, error: 'Error', retryInMs: 1, key: 'acme' };
    expect(diagnose(seconds(3), { ...now, keyed, failing }).title).toBe('Dead database of the key acme');
  });
});

test('a slow database is told from a leak where one of two routes is most of the work, and both are stuck', () => {
  const stuck = { ...full, acquired: 0, released: 0, holdMs: undefined };
  const both = holding(['GET /orders/1', 9, 4_000], ['POST /orders', 1, 4_000]);
  const known = [
    { who: 'GET /orders/:id', holds: 200 },
    { who: 'POST /orders', holds: 20 },
  ];
  const history = [...seconds(60), ...seconds(4, stuck)];
  expect(diagnose(history, { ...now, known, holders: both })).toMatchObject({
    verdict: 'slow',
    serious: true,
  });
  const one = { ...now, known: [...known, { who: 'GET /stock', holds: 200 }], holders: both };
  expect(diagnose(history, one).verdict).not.toBe('slow');
});

describe('what lasts for long', () => {
  const slowNow = { ...full, holdMs: 1_500, acquired: 4, released: 4 };
  const alone = { ...now, known: alike('GET /orders'), holders: holding(['GET /orders', 10, 1_400]) };

  test('does not become usual by that: a slow database stays slow for all of the history', () => {
    const past = seconds(60);
    expect(diagnose(seconds(300, slowNow), alone, past)).toMatchObject({ verdict: 'slow', serious: true });
    expect(diagnose(seconds(300), now, past)).toMatchObject({ verdict: 'well' });
  });

  test('is a slow database by what comes back, though only one route holds and cannot be compared', () => {
    const history = [...seconds(60), ...seconds(15, slowNow)];
    expect(diagnose(history, alone)).toMatchObject({
      verdict: 'slow',
      text: expect.stringContaining('5 ms'),
    });
    expect(diagnose([...seconds(60), ...seconds(120, slowNow)], alone).verdict).toBe('slow');
  });

  test('is no reason to raise max where nobody knows what is usual', () => {
    const { verdict, next } = diagnose(seconds(120, slowNow), {
      ...alone,
      holders: holding(['GET /orders', 10, 700]),
    });
    expect(verdict).toBe('busy');
    expect(next).toContain('a larger pool makes it slower');
  });

  test('is told with what has come back: nothing, or something', () => {
    const stuck = { ...full, acquired: 0, released: 0, holdMs: undefined };
    const leaks = holding(['GET /orders', 10]);
    const leaking = { ...alone, holders: leaks, leaks };
    expect(diagnose(seconds(60, stuck), leaking)).toMatchObject({
      verdict: 'held',
      text: expect.stringContaining('Nothing has come back in the last 10 s'),
      next: expect.stringContaining('does not give back'),
    });
  });
});
