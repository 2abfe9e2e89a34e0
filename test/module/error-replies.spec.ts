import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger, type ArgumentsHost } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { firstValueFrom, type Observable } from 'rxjs';
import {
  DeadlineExceededError,
  PoolClosedError,
  PoolDeadlockError,
  PoolExceptionFilter,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
  RequestAbortedError,
  TransactionOutcomeUnknownError,
  describeCapacityError,
  type PoolStats,
} from '../../src/index.js';
import { failureOf } from '../support/follow.js';
import { BACKEND_TEXT, InVain, failingPools } from '../support/failing-pools.js';
import { LogBook, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

const stats = {} as PoolStats;
const ERRORS = [
  [new PoolTimeoutError('items', BACKEND_TEXT), 14, 1],
  [new PoolUnavailableError('items', BACKEND_TEXT, stats, 2_500), 14, 3],
  [new PoolUnavailableError('items', BACKEND_TEXT, stats, 0), 14, 1],
  [new PoolDeadlockError('items', 'items', stats, []), 14, 1],
  [new PoolClosedError('items', 'items'), 14, 1],
  [new PoolQueueFullError('items', 'items'), 8, 1],
  [new PoolShedError('items', 'items'), 8, 1],
] as const;

const message = 'The service is busy, try again later';

describe('describeCapacityError', () => {
  it.each(ERRORS)('says of %s the status of gRPC, and the seconds to wait', (error, code, retryAfter) => {
    expect(describeCapacityError(error)).toEqual({ message, code, retryAfter });
  });

  it('says nothing of any other error', () => {
    const late = new DeadlineExceededError('items', 0, 1);
    for (const other of [new Error('mine'), new RequestAbortedError(), late, undefined, 'text']) {
      expect(describeCapacityError(other)).toBeUndefined();
    }
  });
});

const host = (type: string): ArgumentsHost =>
  ({ getType: () => type, getArgs: () => [] as unknown[] }) as ArgumentsHost;

describe('PoolExceptionFilter, of a request that nobody waits for any more,', () => {
  const filter = new PoolExceptionFilter();

  it('answers a microservice with CANCELLED', async () => {
    const answer = filter.catch(new RequestAbortedError(), host('rpc')) as Observable<never>;
    expect(await firstValueFrom(answer).catch((error: unknown) => error)).toEqual({
      status: 'error',
      message: 'The request was cancelled',
      code: 1,
    });
  });

  it('answers GraphQL with CANCELLED', () => {
    const cause = new RequestAbortedError();
    expect(() => filter.catch(cause, host('graphql'))).toThrow(
      expect.objectContaining({
        message: 'The request was cancelled',
        extensions: { code: 'CANCELLED' },
        cause,
      }),
    );
  });
});

describe('PoolExceptionFilter, of a request whose deadline has passed,', () => {
  const filter = new PoolExceptionFilter();
  const error = new DeadlineExceededError('items', 20, 1);
  const late = 'The deadline of the request has passed';

  it('answers a microservice with DEADLINE_EXCEEDED of gRPC', async () => {
    const answer = filter.catch(error, host('rpc')) as Observable<never>;
    expect(await failureOf(firstValueFrom(answer))).toEqual({ status: 'error', message: late, code: 4 });
  });

  it('answers a gateway likewise, with what it is about', () => {
    const emit = jest.fn();
    const ws = { getClient: () => ({ emit }), getPattern: () => 'find', getData: () => 7 };
    filter.catch(error, { getType: () => 'ws', switchToWs: () => ws } as unknown as ArgumentsHost);
    const reply = { status: 'error', message: late, code: 4, cause: { pattern: 'find', data: 7 } };
    expect(emit).toHaveBeenCalledWith('exception', reply);
  });

  it('answers GraphQL with a code that says so', () => {
    expect(() => filter.catch(error, host('graphql'))).toThrow(
      expect.objectContaining({ message: late, extensions: { code: 'DEADLINE_EXCEEDED' }, cause: error }),
    );
  });
});

describe('PoolExceptionFilter, of a commit that nobody has heard of,', () => {
  const filter = new PoolExceptionFilter();
  const error = new TransactionOutcomeUnknownError('PG_TRANSACTION_OUTCOME_UNKNOWN', new Error(BACKEND_TEXT));
  const unknown = 'It is not known whether this was done: find out before you repeat it';

  it('answers a microservice with UNKNOWN of gRPC', async () => {
    const answer = filter.catch(error, host('rpc')) as Observable<never>;
    expect(await failureOf(firstValueFrom(answer))).toEqual({ status: 'error', message: unknown, code: 2 });
  });

  it('answers GraphQL with a code that says so', () => {
    expect(() => filter.catch(error, host('graphql'))).toThrow(
      expect.objectContaining({
        message: unknown,
        extensions: { code: 'TRANSACTION_OUTCOME_UNKNOWN' },
        cause: error,
      }),
    );
  });
});

describe('PoolExceptionFilter in a microservice', () => {
  const log = new LogBook();

  afterEach(() => {
    forgetLoggers();
    log.lines.length = 0;
  });

  it.each([
    [
      'a deadlock once, as an error',
      new PoolDeadlockError('items', 'deadlock', stats, []),
      ['error: deadlock'],
    ],
    ['what a pool could not serve', new PoolTimeoutError('items', 'late'), ['warn: late']],
    ['nothing of clients that have left', new RequestAbortedError(), []],
    ['nothing of those that have given up', new DeadlineExceededError('items', 20, 1), []],
  ])('logs %s', (_, error, lines) => {
    Logger.overrideLogger(log);
    new PoolExceptionFilter().catch(error, host('rpc'));
    expect(log.lines).toEqual(lines);
  });
});

describe('a handler of a kind that is not known here', () => {
  let running: RunningApp;

  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it('has the error thrown to its caller, and logged by Nest', async () => {
    running = await serve('express', { imports: [failingPools()], providers: [InVain] });
    const inVain = running.app.get(InVain);
    const borrow = (): Promise<string> => inVain.borrow('down');
    const call = running.app
      .get(ExternalContextCreator)
      .create(inVain, borrow, 'borrow', undefined, undefined, undefined, undefined, undefined, 'job');
    const failure = await failureOf(call() as Promise<unknown>);
    expect(failure).toBeInstanceOf(PoolUnavailableError);
    expect(running.log.lines.filter(line => line.startsWith('error: PoolUnavailableError'))).toHaveLength(1);
  });
});
