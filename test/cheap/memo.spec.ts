import { describe, expect, it, jest } from '@jest/globals';
import { PoolMisuseError, memo } from '../../src/cheap.js';
import { bytesKeptBy, partsOfLargeTexts } from './memory.js';

const upper = (max: number) => {
  const create = jest.fn((text: string) => ({ text: text.toUpperCase() }));
  return { create, get: memo(create, { max }) };
};

describe('a memo', () => {
  it('makes each thing once', () => {
    const { create, get } = upper(2);
    const a = get('a');
    expect(a).toEqual({ text: 'A' });
    expect(get('a')).toBe(a);
    expect(get('b')).toEqual({ text: 'B' });
    expect(get('a')).toBe(a);
    expect(create).toHaveBeenCalledTimes(2);
  });

  it('remembers no more than max, and forgets what was asked for least recently', () => {
    const { create, get } = upper(2);
    for (const text of ['a', 'b', 'a', 'c']) get(text);
    create.mockClear();
    for (const text of ['a', 'c']) get(text);
    expect(create).not.toHaveBeenCalled();
    get('b');
    expect(create).toHaveBeenCalledTimes(1);
    get('a');
    expect(create).toHaveBeenCalledTimes(2);
  });

  it('does not remember what could not be made', () => {
    let fails = true;
    const get = memo(
      (text: string) => {
        if (fails) throw new Error('not now');
        return { text };
      },
      { max: 1 },
    );
    expect(() => get('a')).toThrow('not now');
    fails = false;
    expect(get('a')).toEqual({ text: 'a' });
  });

  it('tells an invalid pattern to everybody who asks', () => {
    const pattern = memo((source: string) => new RegExp(source, 'u'), { max: 100 });
    expect(() => pattern('(')).toThrow(SyntaxError);
    expect(() => pattern('(')).toThrow(SyntaxError);
    expect(pattern('^a+$').test('aaa')).toBe(true);
    expect(pattern('^a+$')).toBe(pattern('^a+$'));
  });

  it('remembers a result that is undefined', () => {
    const create = jest.fn((_text: string): string | undefined => undefined);
    const get = memo(create, { max: 1 });
    expect([get('a'), get('a')]).toEqual([undefined, undefined]);
    expect(create).toHaveBeenCalledTimes(1);
  });

  it('tells arguments of different types apart', () => {
    const get = memo((value: string | number | boolean | null | undefined | bigint) => [value], { max: 9 });
    for (const value of ['1', 1, true, 'true', null, 'null', undefined, 1n, NaN]) {
      expect(get(value)).toEqual([value]);
      expect(get(value)).toBe(get(value));
    }
  });

  it('goes by the key, if it is given one', () => {
    const create = jest.fn((source: string, flags: string) => new RegExp(source, flags));
    const pattern = memo(create, { max: 5, key: (source: string, flags: string) => `${flags}/${source}` });
    expect(pattern('a', 'i')).toBe(pattern('a', 'i'));
    expect(pattern('a', 'i')).not.toBe(pattern('a', ''));
    expect(create).toHaveBeenCalledTimes(2);
    expect(create).toHaveBeenNthCalledWith(1, 'a', 'i');
  });

  it('may be asked while it makes something', () => {
    const get: (n: number) => number = memo((n: number): number => (n < 2 ? n : get(n - 1) + get(n - 2)), {
      max: 3,
    });
    expect(get(40)).toBe(102_334_155);
  });

  it('does not keep in memory the large text of which an argument is a part', () => {
    const get = memo((text: string) => new RegExp(text), { max: 50 });
    expect(bytesKeptBy(() => partsOfLargeTexts(50, get))).toBeLessThan(10_000_000);
    const byKey = memo((part: { text: string }) => part.text.length, { max: 50, key: ({ text }) => text });
    expect(bytesKeptBy(() => partsOfLargeTexts(50, text => byKey({ text })))).toBeLessThan(10_000_000);
  });
});

describe('a memo refuses', () => {
  it.each(['g', 'y', 'gy', 'gi'])(
    'a RegExp with the flags %s, which would go on where another user stopped',
    flags => {
      const pattern = memo((source: string) => new RegExp(source, flags), { max: 1 });
      expect(() => pattern('a')).toThrow(PoolMisuseError);
      expect(() => pattern('a')).toThrow(
        /^memo: create returned a RegExp with the flags "\w+": with g or y it has a state/,
      );
    },
  );

  it.each(['', 'i', 'dimsu', 'v'])(
    'no RegExp with the flags "%s": its users do not notice each other',
    flags => {
      const pattern = memo((source: string) => new RegExp(source, flags), { max: 1 });
      expect([1, 2, 3].map(() => pattern('a').test('aa'))).toEqual([true, true, true]);
      expect(pattern('a').lastIndex).toBe(0);
    },
  );

  it('a promise, which would be remembered also when it fails', () => {
    const get = memo(async (text: string) => Promise.reject(new Error(text)), { max: 1 });
    expect(() => get('a')).toThrow(
      'memo: create returned a promise, which would be remembered also when it fails',
    );
  });

  it('several arguments, none, and objects where there is no key', () => {
    const create: (one: string) => unknown = (...args) => args;
    const get: (...args: never[]) => unknown = memo(create, { max: 1 });
    const call =
      (...args: unknown[]) =>
      (): unknown =>
        get(...(args as never[]));
    expect(call('a', 'b')).toThrow('there are 2, of type string, string. Give a key function.');
    expect(call()).toThrow('there are 0');
    expect(call({})).toThrow('there are 1, of type object');
    expect(call(() => 1)).toThrow('there are 1, of type function');
  });

  it('a key that is no text', () => {
    const get = memo((text: string) => text, { max: 1, key: (() => 1) as unknown as () => string });
    expect(() => get('a')).toThrow('memo: key returned a value of type number; it must return a string.');
  });
});
