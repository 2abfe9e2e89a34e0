import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { PoolModule, Transactional, UseBorrowScope, getPoolToken } from '../../src/index.js';
import { PgPoolModule, getPgPoolToken } from '../../src/pg/index.js';
import { fakePool } from '../../src/testing/index.js';

@Injectable()
class Transfers {
  @Transactional('orders-db') transfer(): Promise<void> {
    return Promise.resolve();
  }
  @UseBorrowScope() job(): Promise<void> {
    return Promise.resolve();
  }
}

const definition = { name: 'orders-db', create: () => ({}) };
const application = (...imports: ReturnType<typeof PgPoolModule.forFeature>[]) =>
  Test.createTestingModule({
    imports: [PoolModule.forRoot({ log: false, pools: [definition] }), ...imports],
  });

it('a method of an object made with new says how its class is tested', async () => {
  await expect(new Transfers().transfer()).rejects.toThrow(/NestJS has not made.*Test\.createTestingModule/);
  expect(() => new Transfers().job()).toThrow(/NestJS has not made.*Test\.createTestingModule/);
});

it('so does one whose application was mocked', async () => {
  const module = await Test.createTestingModule({ providers: [Transfers] })
    .useMocker(() => ({}))
    .compile();
  await expect(module.get(Transfers).transfer()).rejects.toThrow(/useMocker\(\) does.*fakePool/);
  expect(() => module.get(Transfers).job()).toThrow(/useMocker\(\) does.*fakePool/);
});

it('what is put in the place of a pool and is none does not start', async () => {
  const module = await application().overrideProvider(getPoolToken('orders-db')).useValue({}).compile();
  await expect(module.init()).rejects.toThrow(/^Pool "orders-db": what was put in its place.*fakePool/);
});

it('a pool of fakes that is to be a pg.Pool is named as the application knows it', async () => {
  const fakes = fakePool(() => ({}));
  const made = () =>
    application(PgPoolModule.forFeature(['orders-db']))
      .overrideProvider(getPoolToken('orders-db'))
      .useValue(fakes);
  await expect(made().compile()).rejects.toThrow(/pool "orders-db" is not one of pgPool\(\).*getPgPoolToken/);
  const module = await made().overrideProvider(getPgPoolToken('orders-db')).useValue('mine').compile();
  expect(module.get(getPgPoolToken('orders-db'))).toBe('mine');
});
