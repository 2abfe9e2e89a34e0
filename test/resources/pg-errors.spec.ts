import { describe, expect, it } from '@jest/globals';
import { PoolClosedError } from '../../src/engine/index.js';
import { endsSession, isHopeless } from '../../src/resources/pg/errors.js';

const withCode = (code: string, cause?: unknown): Error & { code: string } =>
  Object.assign(new Error('scripted', { cause }), { code });

describe('what the server says', () => {
  it.each(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04'])('code %s ends the session', code => {
    expect(endsSession(withCode(code))).toBe(true);
  });

  it.each(['FATAL', 'PANIC'])('with severity %s ends the session', severity => {
    expect(endsSession(Object.assign(withCode('XX000'), { severity }))).toBe(true);
  });

  it.each(['23505', '40001', '57014', '0A000', '42P01', '08P01', '25006'])(
    'code %s is the statement’s own',
    code => {
      expect(endsSession(Object.assign(withCode(code), { severity: 'ERROR' }))).toBe(false);
    },
  );
});

describe('whether connecting again is hopeless', () => {
  it('is looked for among the causes', () => {
    expect(isHopeless(new Error('outer', { cause: withCode('28P01') }))).toBe(true);
  });

  it('is not decided by the trouble of another pool', () => {
    expect(isHopeless(new PoolClosedError('other', '', undefined, { cause: withCode('28P01') }))).toBe(false);
  });

  it('is no trap when the causes go in a circle', () => {
    const error = new Error('around');
    error.cause = error;
    expect(isHopeless(error)).toBe(false);
  });

  it.each([undefined, null, 'ECONNRESET', 8, {}])('says no to a thrown %s', thrown => {
    expect(isHopeless(thrown)).toBe(false);
  });

  it.each([
    ['28P01', true],
    ['28000', true],
    ['3D000', true],
    ['57P03', false],
    ['ECONNREFUSED', false],
    ['53300', false],
  ])('is with code %s: %s', (code, hopeless) => {
    expect(isHopeless(withCode(code))).toBe(hopeless);
  });
});
