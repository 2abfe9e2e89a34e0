import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { BufferPool, FreeList, Interner, memo, type LentBuffer } from '../../src/cheap.js';

class Vector {
  readonly values = new Float64Array(4);
}

describe('the type of what a free list lends', () => {
  it('is inferred from create, and reset is given it', () => {
    const list = new FreeList({
      create: () => new Vector(),
      reset: vector => {
        expectTypeOf(vector).toEqualTypeOf<Vector>();
        vector.values.fill(0);
      },
      max: 3,
    });
    expectTypeOf(list).toEqualTypeOf<FreeList<Vector>>();
    expectTypeOf(list.take).returns.toEqualTypeOf<Vector>();
    expectTypeOf(list.give).parameter(0).toEqualTypeOf<Vector>();
    expect(list.take()).toBeInstanceOf(Vector);
  });

  it('is refused where it cannot be kept: no object, or a reset that is asynchronous', () => {
    // @ts-expect-error -- a number has no identity
    new FreeList({ create: () => 1, max: 1 });
    // @ts-expect-error -- nobody waits for it
    new FreeList({ create: () => new Vector(), reset: async () => undefined, max: 1 });
    // @ts-expect-error -- there is no list without a bound
    expect(() => new FreeList({ create: () => new Vector() })).toThrow('"max"');
    // @ts-expect-error -- no such option
    expect(() => new FreeList({ create: () => new Vector(), max: 1, maxx: 2 })).toThrow('"maxx"');
  });
});

describe('the type of a lent buffer', () => {
  it('is a Buffer that can be disposed of', () => {
    const buffers = new BufferPool({ maxSize: 8, maxBytes: 8 });
    using lent = buffers.take(8);
    expectTypeOf(lent).toEqualTypeOf<LentBuffer>();
    expectTypeOf(lent).toExtend<Disposable>();
    expectTypeOf(lent.buffer).toExtend<Buffer>();
    expect(lent.buffer).toHaveLength(8);
  });
});

describe('the type of what is interned', () => {
  it('is string, or inferred from key', () => {
    const texts = new Interner({ max: 1 });
    expectTypeOf(texts).toEqualTypeOf<Interner>();
    expectTypeOf(texts.intern).returns.toEqualTypeOf<string>();
    const vectors = new Interner({ max: 1, key: (vector: Vector) => vector.values.join() });
    expectTypeOf(vectors.intern).returns.toEqualTypeOf<Vector>();
    const literals = new Interner<'a' | 'b'>({ max: 1 });
    expectTypeOf(literals.intern).returns.toEqualTypeOf<'a' | 'b'>();
    expect(literals.intern('a')).toBe('a');
  });

  it('needs a key where there is no equality', () => {
    // @ts-expect-error -- vectors have no key of their own
    new Interner<Vector>({ max: 1 });
    // @ts-expect-error -- nor have some of these
    new Interner<Vector | string>({ max: 1 });
    // @ts-expect-error -- a key is a text
    new Interner({ max: 1, key: (vector: Vector) => vector.values });
    // @ts-expect-error -- not a text
    expect(() => new Interner({ max: 1 }).intern(1)).toThrow('no key of its own');
  });
});

describe('the type of a memo', () => {
  it('is that of the function', () => {
    const patterns = memo((source: string) => new RegExp(source, 'u'), { max: 1 });
    expectTypeOf(patterns).parameters.toEqualTypeOf<[source: string]>();
    expectTypeOf(patterns).returns.toEqualTypeOf<RegExp>();
    const two = memo((source: string, flags: string) => new RegExp(source, flags), {
      max: 1,
      key: (source, flags) => {
        expectTypeOf(source).toEqualTypeOf<string>();
        return `${flags}/${source}`;
      },
    });
    expectTypeOf(two).parameters.toEqualTypeOf<[source: string, flags: string]>();
    expect(two('a', 'i').test('A')).toBe(true);
  });

  it('needs a key for several arguments, and for objects', () => {
    // @ts-expect-error -- two arguments
    const two = memo((a: string, b: string) => a + b, { max: 1 });
    // @ts-expect-error -- an object
    const one = memo((vector: Vector) => vector.values.length, { max: 1 });
    expect(() => two('a', 'b')).toThrow('there are 2');
    expect(() => one(new Vector())).toThrow('of type object');
  });
});
