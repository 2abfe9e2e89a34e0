import { describe, expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  Pool,
  type CreateContext,
  type DestroyReason,
  type Lease,
  type PoolOptions,
  type ResourceFactory,
} from '../../src/engine/index.js';

class Foo {
  readonly ok = true;
  end(): Promise<void> {
    return Promise.resolve();
  }
}

describe('the type of a resource', () => {
  it('is inferred from members given among the options, without an annotation', () => {
    const pool = new Pool({
      create: async () => new Foo(),
      validate: foo => foo.ok,
      reset: foo => foo.ok,
      destroy: foo => foo.end(),
    });
    expectTypeOf(pool).toEqualTypeOf<Pool<Foo>>();
    expectTypeOf(pool.acquire).returns.toEqualTypeOf<Promise<Lease<Foo>>>();
    expectTypeOf(pool.tryAcquire).returns.toEqualTypeOf<Lease<Foo> | undefined>();
    expect(pool.stats().total).toBe(0);
  });

  it('is inferred when create looks at its context', () => {
    const pool = new Pool({
      max: 2,
      create: async ({ signal, invalidate }) => {
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(invalidate).toEqualTypeOf<CreateContext['invalidate']>();
        return new Foo();
      },
      validate: foo => {
        expectTypeOf(foo).toEqualTypeOf<Foo>();
        return foo.ok;
      },
      destroy: (foo, reason) => {
        expectTypeOf(reason).toEqualTypeOf<DestroyReason>();
        return foo.end();
      },
    });
    expectTypeOf(pool).toEqualTypeOf<Pool<Foo>>();
  });

  it('is inferred from a create that is synchronous, and from one written as a method', () => {
    const one = new Pool({ create: () => new Foo(), destroy: foo => foo.end() });
    expectTypeOf(one).toEqualTypeOf<Pool<Foo>>();
    const two = new Pool({
      async create({ signal }) {
        signal.throwIfAborted();
        return new Foo();
      },
      destroy(foo) {
        return foo.end();
      },
    });
    expectTypeOf(two).toEqualTypeOf<Pool<Foo>>();
  });

  it('is inferred from a factory object', () => {
    class FooFactory implements ResourceFactory<Foo> {
      create(): Promise<Foo> {
        return Promise.resolve(new Foo());
      }
      destroy(foo: Foo): Promise<void> {
        return foo.end();
      }
    }
    const pool = new Pool({ factory: new FooFactory(), max: 4 });
    expectTypeOf(pool).toEqualTypeOf<Pool<Foo>>();
    const inline = new Pool({ factory: { create: async () => new Foo(), destroy: foo => foo.end() } });
    expectTypeOf(inline).toEqualTypeOf<Pool<Foo>>();
  });

  it('may be anything', () => {
    expectTypeOf(new Pool({ create: () => 5 })).toEqualTypeOf<Pool<number>>();
    expectTypeOf(new Pool({ create: () => Promise.resolve(null) })).toEqualTypeOf<Pool<null>>();
    expectTypeOf(new Pool<string | undefined>({ create: () => undefined })).toEqualTypeOf<
      Pool<string | undefined>
    >();
  });

  it('is what the callback of use is given, and its result is what use resolves to', async () => {
    const pool = new Pool({ create: () => new Foo() });
    const result = pool.use(async (foo, lease) => {
      expectTypeOf(foo).toEqualTypeOf<Foo>();
      expectTypeOf(lease).toEqualTypeOf<Lease<Foo>>();
      return { rows: 5 };
    });
    expectTypeOf(result).toEqualTypeOf<Promise<{ rows: number }>>();
    expectTypeOf(pool.use(() => 5)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(pool.use(() => undefined)).toEqualTypeOf<Promise<undefined>>();
    await expect(result).resolves.toEqual({ rows: 5 });
    await pool.close();
  });

  it('may be written out for options that are passed around', () => {
    const options: PoolOptions<Foo> = { create: () => new Foo(), max: 3 };
    expectTypeOf(new Pool(options)).toEqualTypeOf<Pool<Foo>>();
  });
});

describe('a mistake in the options is an error of the compiler', () => {
  it('when both create and a factory are given', () => {
    const create = (): Foo => new Foo();
    // @ts-expect-error one or the other
    expect(() => new Pool<Foo>({ create, factory: { create } })).toThrow('create');
  });

  it('when neither is given', () => {
    // @ts-expect-error nothing to create with
    expect(() => new Pool<Foo>({ max: 2 })).toThrow('create');
  });

  it('when an option is unknown or of a wrong type', () => {
    // @ts-expect-error there is no such option
    expect(() => new Pool<Foo>({ create: () => new Foo(), maximum: 2 })).toThrow('maximum');
    // @ts-expect-error a string is no number
    expect(() => new Pool<Foo>({ create: () => new Foo(), max: '2' })).toThrow('max');
    // @ts-expect-error not an order
    expect(() => new Pool<Foo>({ create: () => new Foo(), order: 'random' })).toThrow('order');
  });

  it('when a member takes another resource than create makes', () => {
    const pool = new Pool<Foo>({
      create: () => new Foo(),
      // @ts-expect-error a Foo is no Date
      destroy: (foo: Date) => foo.getTime(),
    });
    expect(pool.stats().total).toBe(0);
  });
});
