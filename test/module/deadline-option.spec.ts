import { describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { DeadlineExceededError, PoolModule } from '../../src/index.js';
import { CallerDeadline, anyScope } from '../../src/scope/index.js';
import { TestScopes } from '../../src/testing/index.js';
import { grpcTimeout } from '../../src/transports/index.js';
import { failureOf } from '../support/follow.js';

const boot = async (deadline: unknown): Promise<void> => {
  const module = PoolModule.forRoot({ pools: [], deadline: deadline as never });
  const testing = await Test.createTestingModule({ imports: [module] }).compile();
  await testing.close();
};

describe('the option deadline of PoolModule', () => {
  it.each([
    [
      "is 'x-timeout'",
      'x-timeout',
      /deadline is "x-timeout"; it must be names of headers, such as \['x-envoy/,
    ],
    ['is a number', 100, /deadline is 100; /],
    ['is null', null, /deadline is null; /],
    ['is an object', { headers: ['x-timeout'] }, /deadline is an object; /],
    ['is empty', [], /deadline names no header; /],
    ['has an empty name', ['x-timeout', ''], /deadline has "" in it, which is no name of a header; /],
    ['has a name with a space', ['x timeout'], /deadline has "x timeout" in it/],
    ['has undefined', [undefined], /deadline has undefined in it/],
    ['has a number', [7], /deadline has 7 in it/],
  ])('is refused at the start when it %s', async (_, deadline, message) => {
    const error = await failureOf(boot(deadline));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(message);
  });

  it.each([[undefined], [['X-Request-Timeout-Ms', 'grpc-timeout']], [() => 100]])(
    'may be %p',
    async deadline => {
      await boot(deadline);
    },
  );
});

describe('grpcTimeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['100m', 100],
    ['1500u', 1.5],
    ['250000n', 0.25],
    ['0n', 0],
    ['99999999H', 99_999_999 * 3_600_000],
  ])('reads %s', (text, ms) => {
    expect(grpcTimeout(text)).toBeCloseTo(ms, 9);
  });

  it.each(['', '1', 'm', '1x', '1ms', '-1m', '1.5m', '123456789m', '1e3m', ' 1m', 'Infinitym', 'NaNm'])(
    'takes %j for none',
    text => {
      expect(grpcTimeout(text)).toBeUndefined();
    },
  );
});

describe('scopes.remaining()', () => {
  const scopes = new TestScopes();
  const remaining = (ms: number): Promise<number | undefined> =>
    scopes.run(() => {
      anyScope()!.deadline = new CallerDeadline(performance.now() + ms);
      return scopes.remaining();
    });

  it('is undefined outside of any scope, in one without a deadline, and where that never comes', async () => {
    expect(scopes.remaining()).toBeUndefined();
    expect(await scopes.run(() => scopes.remaining())).toBeUndefined();
    expect(await remaining(Infinity)).toBeUndefined();
  });

  it('is never more than what is left, and never 0, which would mean "no limit" to the next service', async () => {
    const now = jest.spyOn(performance, 'now').mockReturnValue(1_000.5);
    try {
      expect(await remaining(250.75)).toBe(250);
      expect(await remaining(0.25)).toBe(1);
      for (const ms of [0, -5]) expect(await failureOf(remaining(ms))).toBeInstanceOf(DeadlineExceededError);
    } finally {
      now.mockRestore();
    }
  });
});
