import { describe, expect, it } from '@jest/globals';
import { BufferPool, FreeList, Interner, PoolOptionsError, memo } from '../../src/cheap.js';

const create = (): object => ({});

type Make = (options: never) => unknown;

const freeList: Make = options => new FreeList(options);
const bufferPool: Make = options => new BufferPool(options);
const interner: Make = options => new Interner(options);
const memoOf: Make = options => memo((text: string) => text, options);

/** Which options are wrong, and what is said of them. */
const WRONG: [string, Make, unknown, string][] = [
  ['FreeList', freeList, undefined, 'FreeList: option "options" is undefined; it must be an object.'],
  ['FreeList', freeList, { max: 1 }, 'FreeList: option "create" is undefined; it must be a function.'],
  ['FreeList', freeList, { create }, 'FreeList: option "max" is undefined; it must be a whole number ≥ 1.'],
  ['FreeList', freeList, { create, max: 0 }, 'FreeList: option "max" is 0; it must be a whole number ≥ 1.'],
  ['FreeList', freeList, { create, max: 1.5 }, 'FreeList: option "max" is 1.5; it must be'],
  ['FreeList', freeList, { create, max: Infinity }, 'FreeList: option "max" is Infinity; it must be'],
  [
    'FreeList',
    freeList,
    { create, max: 1, reset: [] },
    'FreeList: option "reset" is an array; it must be a fun',
  ],
  [
    'FreeList',
    freeList,
    { create, max: 1, debug: 1 },
    'FreeList: option "debug" is 1; it must be true or false.',
  ],
  [
    'FreeList',
    freeList,
    { create, max: 1, detectUseAfterGive: {} },
    '"detectUseAfterGive" is an object; it must',
  ],
  [
    'FreeList',
    freeList,
    { create, max: 1, maximum: 2 },
    'FreeList: unknown option "maximum"; known are create, reset, max, debug, detectUseAfterGive.',
  ],
  ['BufferPool', bufferPool, null, 'BufferPool: option "options" is null; it must be an object.'],
  [
    'BufferPool',
    bufferPool,
    { maxBytes: 8 },
    '"maxSize" is undefined; it must be a power of two from 1 to 1073741824.',
  ],
  ['BufferPool', bufferPool, { maxSize: 12, maxBytes: 12 }, '"maxSize" is 12; it must be a power of two'],
  ['BufferPool', bufferPool, { maxSize: 0.5, maxBytes: 12 }, '"maxSize" is 0.5; it must be a power of two'],
  ['BufferPool', bufferPool, { maxSize: 2 ** 31, maxBytes: 2 ** 31 }, '"maxSize" is 2147483648; it must be'],
  ['BufferPool', bufferPool, { maxSize: 8 }, '"maxBytes" is undefined; it must be a whole number ≥ 1.'],
  [
    'BufferPool',
    bufferPool,
    { maxSize: 8, maxBytes: 7 },
    '"maxBytes" is 7; it must be at least maxSize, which is 8.',
  ],
  [
    'BufferPool',
    bufferPool,
    { minSize: 16, maxSize: 8, maxBytes: 8 },
    '"minSize" is 16; it must be at most maxSize, which is 8.',
  ],
  [
    'BufferPool',
    bufferPool,
    { minSize: 3, maxSize: 8, maxBytes: 8 },
    '"minSize" is 3; it must be a power of two',
  ],
  ['BufferPool', bufferPool, { maxSize: 8, maxBytes: 8, zero: 0 }, '"zero" is 0; it must be true or false.'],
  [
    'BufferPool',
    bufferPool,
    { maxSize: 8, maxBytes: 8, debug: '' },
    '"debug" is a string; it must be true or',
  ],
  [
    'BufferPool',
    bufferPool,
    { maxSize: 8, maxBytes: 8, size: 8 },
    'unknown option "size"; known are minSize, max',
  ],
  ['Interner', interner, undefined, 'Interner: option "options" is undefined; it must be an object.'],
  ['Interner', interner, {}, 'Interner: option "max" is undefined; it must be a whole number ≥ 1.'],
  [
    'Interner',
    interner,
    { max: Infinity },
    'Interner: option "max" is Infinity; it must be a whole number ≥ 1.',
  ],
  ['Interner', interner, { max: 1, key: 'id' }, 'Interner: option "key" is a string; it must be a function.'],
  ['Interner', interner, { max: 1, maxKeyLength: 0 }, '"maxKeyLength" is 0; it must be a whole number ≥ 1.'],
  ['Interner', interner, { max: 1, weak: 1 }, 'Interner: option "weak" is 1; it must be true or false.'],
  [
    'Interner',
    interner,
    { max: 1, weak: true },
    '"key" is undefined; it must be a function when weak is true',
  ],
  [
    'Interner',
    interner,
    { max: 1, size: 1 },
    'unknown option "size"; known are max, key, maxKeyLength, weak.',
  ],
  ['memo', memoOf, undefined, 'memo: option "options" is undefined; it must be an object.'],
  ['memo', memoOf, {}, 'memo: option "max" is undefined; it must be a whole number ≥ 1.'],
  ['memo', memoOf, { max: -1 }, 'memo: option "max" is -1; it must be a whole number ≥ 1.'],
  ['memo', memoOf, { max: 1, key: null }, 'memo: option "key" is null; it must be a function.'],
  ['memo', memoOf, { max: 1, ttl: 5 }, 'memo: unknown option "ttl"; known are max, key.'],
  [
    'memo',
    options => memo(/a/ as never, options),
    { max: 1 },
    'memo: option "create" is an object; it must be a function.',
  ],
];

describe('an option that is wrong', () => {
  it.each(WRONG)(
    'is refused when %s is made, and the error says which and why',
    (pool, make, options, message) => {
      const attempt = (): unknown => make(options as never);
      expect(attempt).toThrow(PoolOptionsError);
      expect(attempt).toThrow(expect.objectContaining({ pool, code: 'POOL_OPTIONS' }));
      expect(attempt).toThrow(message);
    },
  );

  it('is not quoted when it is a text, which may be a secret', () => {
    const make = (): unknown => new FreeList({ create, max: 'hunter2' as never });
    expect(make).toThrow('option "max" is a string; it must be');
    expect(make).not.toThrow('hunter2');
  });

  it('is taken as left out when it is undefined', () => {
    expect(new FreeList({ create, max: 1, reset: undefined, debug: undefined } as never).size).toBe(0);
  });
});
