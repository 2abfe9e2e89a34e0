import { expect, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import { Borrow, PoolModule, definePool, type Borrowed, type KeyedCreateContext } from '../../src/index.js';

// What holds while nobody has augmented `Pools`. With names and types of pools: test/types.
it('lets names be plain strings, and infers what the factory is given', () => {
  const { exports } = PoolModule.forRoot({
    pools: [
      { name: 'plain', create: ({ signal }) => ({ signal }) },
      { name: 'by-key', maxTotal: 3, create: ({ key, signal }) => ({ key, signal }) },
      {
        name: 'made',
        useFactory: () => ({ maxTotal: 3, create: ({ key }: KeyedCreateContext<string>) => ({ key }) }),
      },
    ],
  });
  // A pool, and access to what is borrowed of it.
  expect(exports).toHaveLength(6);

  Borrow('anything', { key: request => request.headers.host });
  Borrow('anything', { fresh: true, priority: 'low', timeout: 1 });
  // @ts-expect-error -- no such option
  Borrow('anything', { timout: 1 });
  expectTypeOf<Borrowed<Date>>().toExtend<Borrowed<Date, string>>();

  const dates = definePool({ name: 'dates', create: () => new Date(), validate: date => date.getTime() > 0 });
  expectTypeOf(dates.name).toEqualTypeOf<'dates'>();
});

it('infers what hooks are given from how the resource is made', () => {
  definePool({
    name: 'dates',
    create: () => new Date(),
    onBorrow: date => expectTypeOf(date).toEqualTypeOf<Date>(),
    onReturn: (date, outcome) => {
      expectTypeOf(date).toEqualTypeOf<Date>();
      expectTypeOf(outcome).toEqualTypeOf<'success' | 'error' | 'aborted'>();
    },
  });
  definePool({
    name: 'made',
    factory: { create: () => new Date() },
    onCreate: date => expectTypeOf(date).toEqualTypeOf<Date>(),
  });
  // @ts-expect-error -- a hook is a function
  definePool({ name: 'wrong', create: () => new Date(), onBorrow: 'x' });
});
