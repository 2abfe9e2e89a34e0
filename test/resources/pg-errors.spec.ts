import { describe, expect, it } from '@jest/globals';
import { PoolClosedError } from '../../src/engine/index.js';
import { isConnectionError, isHopeless } from '../../src/resources/pg/errors.js';

const withCode = (code: string, cause?: unknown): Error =>
  Object.assign(new Error('scripted', { cause }), { code });

describe('what an error says about its connection', () => {
  it.each(['08000', '08006', '57P01', '57P02', '57P03'])('code %s means that it is gone', code => {
    expect(isConnectionError(withCode(code))).toBe(true);
  });

  it.each([
    ['ECONNRESET', 'read', true],
    ['EPIPE', 'write', true],
    ['ETIMEDOUT', 'read', true],
    ['ECONNREFUSED', 'connect', false],
    ['ETIMEDOUT', 'connect', false],
  ])('a socket’s %s on %s means that it is gone: %s', (code, syscall, gone) => {
    const error = Object.assign(withCode(code), { syscall });
    expect(isConnectionError(error)).toBe(gone);
    // As fetch reports the trouble of the service it calls.
    expect(isConnectionError(new TypeError('fetch failed', { cause: error }))).toBe(false);
  });

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
  ])('"%s" means that it is gone', message => {
    expect(isConnectionError(new Error(message))).toBe(true);
  });

  it('is found among the causes', () => {
    const error = new Error('outer', { cause: new Error('middle', { cause: withCode('57P01') }) });
    expect(isConnectionError(error)).toBe(true);
    expect(isHopeless(new Error('outer', { cause: withCode('28P01') }))).toBe(true);
  });

  it('a circle of causes is no trap', () => {
    const error = new Error('around');
    error.cause = error;
    expect(isConnectionError(error)).toBe(false);
  });

  it.each(['23505', '40001', '57014', '0A000', '42P01', 'ENOENT'])('code %s is the statement’s own', code => {
    expect(isConnectionError(withCode(code))).toBe(false);
  });

  it.each([undefined, null, 'ECONNRESET', 8, {}])('a thrown %s says nothing', thrown => {
    expect(isConnectionError(thrown)).toBe(false);
    expect(isHopeless(thrown)).toBe(false);
  });

  it('the trouble of another pool is not this connection’s', () => {
    const error = new PoolClosedError('other', 'closed', undefined, { cause: withCode('ECONNREFUSED') });
    expect(isConnectionError(error)).toBe(false);
  });

  it.each([
    ['28P01', true],
    ['28000', true],
    ['3D000', true],
    ['57P03', false],
    ['ECONNREFUSED', false],
    ['53300', false],
  ])('code %s is hopeless: %s', (code, hopeless) => {
    expect(isHopeless(withCode(code))).toBe(hopeless);
  });
});
