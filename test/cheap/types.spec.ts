import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { BufferPool, FreeList, type LentBuffer } from '../../src/cheap.js';

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
