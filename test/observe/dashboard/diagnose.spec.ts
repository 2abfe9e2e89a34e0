import { describe, expect, test } from '@jest/globals';
import { diagnose, type Now } from '../../../src/dashboard/diagnose.js';
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
  known: ['GET /a', 'GET /b', 'GET /c', 'GET /d'],
  leaks: [],
};
const full: Partial<Sample> = { leased: 10, idle: 0, waiting: 8, oldestWaitMs: 900 };

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
      known: ['GET /a'],
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
});
