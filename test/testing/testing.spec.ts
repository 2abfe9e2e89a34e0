import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModule } from '@nestjs/testing';
import type { Server } from 'node:http';
import request from 'supertest';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  KeyedPool,
  NoBorrowScopeError,
  Pool,
  PoolModule,
  PoolUnavailableError,
  Transactional,
  getPoolToken,
} from '../../src/index.js';
import { FakeFactory, TestScopes, assertNoLeases, fakeBorrowed, fakePool } from '../../src/testing/index.js';
import { failureOf } from '../support/follow.js';

class Client {
  query(): string {
    return 'from the database';
  }
}
class FakeClient extends Client {
  override query(): string {
    return 'fake';
  }
}

@Injectable()
class Orders {
  constructor(@InjectBorrowed('orders-db') private readonly db: Borrowed<Client>) {}

  async find(): Promise<string> {
    return (await this.db.get()).query();
  }
}

@Controller()
class OrdersController {
  constructor(private readonly orders: Orders) {}

  @Get() find(@Borrow('orders-db') db: Client): Promise<string> {
    db.query();
    return this.orders.find();
  }
}

const realPool = {
  name: 'orders-db',
  create: (): Client => {
    throw new Error('there is no database in this test');
  },
};

describe('an application whose pool a test has replaced', () => {
  let pool: Pool<Client>;
  let module: TestingModule;

  beforeEach(async () => {
    pool = fakePool(() => new FakeClient());
    module = await Test.createTestingModule({
      imports: [PoolModule.forRoot({ log: false, pools: [realPool] })],
      controllers: [OrdersController],
      providers: [Orders],
    })
      .overrideProvider(getPoolToken('orders-db'))
      .useValue(pool)
      .compile();
  });

  it('is tested with supertest', async () => {
    const app = module.createNestApplication();
    await app.init();
    await request(app.getHttpServer() as Server)
      .get('/')
      .expect(200, 'fake');
    await assertNoLeases(app);
    expect(pool.stats().totals.acquired).toBe(1);
    await app.close();
  });

  it('is tested with inject() of Fastify', async () => {
    const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await app.init();
    expect(await app.inject('/')).toMatchObject({ statusCode: 200, body: 'fake' });
    await assertNoLeases(app);
    expect(pool.stats().totals.acquired).toBe(1);
    await app.close();
  });

  it('is tested without a server, in scopes of its own', async () => {
    const orders = module.get(Orders);
    expect(await module.get(BorrowScopes).run(() => orders.find())).toBe('fake');
    await assertNoLeases(module);
    await module.close();
  });
});

@Injectable()
class Transfers {
  constructor(@InjectBorrowed('orders-db') readonly db: Borrowed<Client>) {}

  @Transactional('orders-db', { isolation: 'serializable' }) async transfer(amount: number): Promise<string> {
    const client = await this.db.get();
    await this.db.transaction(() => client.query(), { propagation: 'NESTED' });
    if (amount < 0) throw new Error('the other way round');
    return client.query();
  }
}

@Controller('transfers')
class TransfersController {
  @Get() find(@Borrow('orders-db', { transaction: true }) db: Client): string {
    return db.query();
  }
}

describe('an application with transactions', () => {
  let factory: FakeFactory<Client>;
  let module: TestingModule;
  beforeEach(async () => {
    factory = new FakeFactory(() => new FakeClient());
    module = await Test.createTestingModule({
      imports: [PoolModule.forRoot({ log: false, pools: [realPool] })],
      controllers: [TransfersController],
      providers: [Transfers],
    })
      .overrideProvider(getPoolToken('orders-db'))
      .useValue(fakePool(factory))
      .compile();
  });
  afterEach(async () => {
    await assertNoLeases(module);
    await module.close();
  });

  it('is tested without a database: the factory tells what would have become of a method with @Transactional', async () => {
    const transfers = module.get(Transfers);
    expect(await transfers.transfer(1)).toBe('fake');
    await expect(transfers.transfer(-1)).rejects.toThrow('the other way round');
    const resource = factory.made[0];
    const options = { isolation: 'serializable' };
    expect(factory.transactions).toEqual([
      { resource, options, nested: false, state: 'committed' },
      { resource, options, nested: true, state: 'committed' },
      { resource, options, nested: false, state: 'rolled back' },
      { resource, options, nested: true, state: 'committed' },
    ]);
  });

  it('and of a handler with @Borrow', async () => {
    const app = module.createNestApplication();
    await app.init();
    await request(app.getHttpServer() as Server)
      .get('/transfers')
      .expect(200, 'fake');
    expect(factory.transactions).toMatchObject([{ state: 'committed' }]);
  });

  it('as one class, a unit that begins transactions gets a fake that does', async () => {
    const db = fakeBorrowed<Client>(new FakeClient());
    expect(await db.transaction(client => client.query())).toBe('fake');
    await using tx = await db.begin();
    expect(tx.resource.query()).toBe('fake');
  });
});

describe('assertNoLeases', () => {
  it('says which pools have not got everything back, also such as a test has put in place of others', async () => {
    const pool = fakePool(() => ({}), { name: 'overriding', max: 1 });
    const module = await Test.createTestingModule({
      imports: [PoolModule.forRoot({ log: false, pools: [realPool] })],
    })
      .overrideProvider(getPoolToken('orders-db'))
      .useValue(pool)
      .compile();
    const lease = await pool.acquire();
    const waiting = pool.acquire();
    await expect(assertNoLeases(module, { within: 0 })).rejects.toThrow(
      'after 0 ms: pool "overriding" has 1 leased, 0 being reset and 1 waiting',
    );
    lease.release();
    (await waiting).release();
    await assertNoLeases(module, { within: 0 });
  });

  it('waits for what is about to come back', async () => {
    const pool = fakePool(() => ({}));
    const lease = await pool.acquire();
    const asserted = assertNoLeases(pool);
    setImmediate(() => {
      lease.release();
    });
    await asserted;
  });

  it('waits in real time where a test turns the clock by hand', async () => {
    jest.useFakeTimers();
    try {
      const pool = fakePool(() => ({}));
      const lease = await pool.acquire();
      await expect(assertNoLeases(pool, { within: 5 })).rejects.toThrow('after 5 ms');
      lease.release();
    } finally {
      jest.useRealTimers();
    }
  });

  it('looks at pools by key as well', async () => {
    const pool = new KeyedPool({ name: 'tenants', maxTotal: 2, create: () => ({}) });
    const lease = await pool.acquire('a');
    await expect(assertNoLeases(pool, { within: 0 })).rejects.toThrow('pool "tenants" has 1 leased');
    lease.release();
    await assertNoLeases(pool);
  });
});

describe('FakeFactory', () => {
  let factory: FakeFactory<Client>;
  let pool: Pool<Client>;
  beforeEach(() => {
    factory = new FakeFactory(() => new FakeClient());
    pool = fakePool(factory, { max: 1, unavailableAfter: 1, createBackoff: { initial: 1, max: 1 } });
  });
  afterEach(() => pool.close());

  it('remembers what it has made, and how that ended', async () => {
    const first = await pool.use(client => client);
    expect(factory).toMatchObject({ made: [first], live: [first], destroyed: [] });
    (await pool.acquire()).destroy();
    await pool.use(() => undefined);
    expect(factory.destroyed).toEqual([{ resource: first, reason: 'caller' }]);
    expect(factory.live).toEqual([factory.made[1]]);
  });

  it('fails as often as it was told to', async () => {
    const down = new Error('the database is down');
    factory.failNext(down);
    const error = await failureOf(pool.acquire());
    expect(error).toBeInstanceOf(PoolUnavailableError);
    expect((error as Error).cause).toBe(down);
    // The pool tries again by itself.
    while (pool.stats().state !== 'ready') await new Promise(resolve => setImmediate(resolve));
    expect(await pool.use(client => client.query())).toBe('fake');
  });

  it('breaks what is live, which the pool finds out before it lends it', async () => {
    const first = await pool.use(client => client);
    factory.breakLive();
    expect(await pool.use(client => client)).not.toBe(first);
    expect(factory.destroyed).toEqual([{ resource: first, reason: 'invalid' }]);
  });
});

describe('TestScopes', () => {
  it('run a unit as in a request: one resource for all of it, and back at the end', async () => {
    const scopes = new TestScopes();
    const pool = fakePool(() => new FakeClient());
    const borrowed = scopes.borrowed(pool);
    const orders = new Orders(borrowed);
    expect(await failureOf(orders.find())).toBeInstanceOf(NoBorrowScopeError);
    await scopes.run(async () => {
      expect(await orders.find()).toBe('fake');
      expect(await borrowed.get()).toBe(await borrowed.get());
      expect(pool.stats().leased).toBe(1);
    });
    await assertNoLeases(pool, { within: 0 });
  });
});

describe('fakeBorrowed', () => {
  it('gives one resource at any time, in a scope or not', async () => {
    const client = new FakeClient();
    const borrowed = fakeBorrowed<Client>(client);
    expect(await new Orders(borrowed).find()).toBe('fake');
    expect(await borrowed.get()).toBe(client);
    expect(await borrowed.get({ fresh: true })).toBe(client);
    expect((await borrowed.lease()).resource).toBe(client);
    expect(await new TestScopes().run(() => borrowed.get())).toBe(client);
  });
});
