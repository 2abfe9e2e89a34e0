import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, Controller, Get, Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Request } from 'express';
import {
  Borrow,
  BorrowKeyError,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  InjectPool,
  KeyedPool,
  PoolModule,
  PoolRegistry,
  getPoolToken,
  type AnyPoolDefinition,
  type KeyRequest,
} from '../../src/index.js';
import { fakePool } from '../../src/testing/index.js';
import { failureOf } from '../support/follow.js';
import { Call, get, type Answer } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

/** A resource of a tenant. */
interface Session {
  readonly tenant: string;
  readonly id: number;
}

const tenants = (): AnyPoolDefinition => {
  let made = 0;
  return {
    name: 'tenants',
    maxTotal: 4,
    max: 2,
    key: (request: KeyRequest) => {
      const tenant = request.headers['x-tenant'];
      if (tenant === 'nobody') throw new BadRequestException('which tenant?');
      return tenant;
    },
    create: ({ key }: { key: unknown }): Session => ({ tenant: String(key), id: ++made }),
  };
};

@Injectable()
class Repository {
  constructor(@InjectBorrowed('tenants') readonly sessions: Borrowed<Session, string>) {}
}
@Injectable()
class Service {
  constructor(readonly repository: Repository) {}
}

@Controller()
class Tenants {
  constructor(
    private readonly service: Service,
    private readonly stage: Stage,
    @InjectPool('tenants') readonly pool: KeyedPool<string, Session>,
  ) {}

  @Get('parameter')
  parameter(@Borrow('tenants') session: Session): Session {
    return session;
  }

  @Get('deep')
  deep(): Promise<Session> {
    return this.service.repository.sessions.get();
  }

  @Get('shared')
  async shared(@Borrow('tenants') session: Session): Promise<object> {
    const { sessions } = this.service.repository;
    const again = await sessions.get();
    const other = await sessions.get({ key: 'other' });
    const otherAgain = await sessions.get({ key: 'other' });
    return { same: again === session && other === otherAgain, other: other.tenant };
  }

  @Get('of/:tenant')
  named(
    @Borrow('tenants', { key: (request: Request<{ tenant: string }>) => request.params.tenant })
    session: Session,
  ): Session {
    return session;
  }

  @Get('unawaited')
  async unawaited(@Borrow('tenants') _session: Session): Promise<object> {
    void this.stage.pass('afterwards').then(async () => {
      this.stage.note(((await failureOf(this.deep())) as Error).name);
    });
    return {};
  }

  @Get('held')
  async held(@Borrow('tenants') session: Session): Promise<Session> {
    await this.stage.pass('held');
    return session;
  }
}

describe.each(PLATFORMS)('a pool by key on %s', platform => {
  let running: RunningApp;
  let stage: Stage;
  const call = (path: string, tenant?: string): Promise<Answer> =>
    new Call(`${running.url}/${path}`, {
      headers: tenant === undefined ? {} : { 'x-tenant': tenant },
    }).answer();

  beforeEach(async () => {
    stage = new Stage();
    running = await serve(platform, {
      imports: [PoolModule.forRoot({ defaults: { min: 1, start: 'warm' }, pools: [tenants()] })],
      controllers: [Tenants],
      providers: [Repository, Service, { provide: Stage, useValue: stage }],
    });
  });

  afterEach(async () => {
    stage.openAll();
    await running.app.close();
    forgetLoggers();
  });

  const stats = () =>
    (running.app.get(PoolRegistry).get('tenants') as unknown as KeyedPool<string, Session>).stats();

  it.each(['parameter', 'deep'])('lends the resource of the request’s key, borrowed at %s', async path => {
    expect(JSON.parse((await call(path, 'a')).body)).toEqual({ tenant: 'a', id: 1 });
    expect(JSON.parse((await call(path, 'b')).body)).toEqual({ tenant: 'b', id: 2 });
    expect(JSON.parse((await call(path, 'a')).body)).toEqual({ tenant: 'a', id: 1 });
    expect(stats()).toMatchObject({ leased: 0, idle: 2, keys: 2 });
  });

  it('is shared in a request key by key, and all of it goes back', async () => {
    expect(JSON.parse((await call('shared', 'a')).body)).toEqual({ same: true, other: 'other' });
    expect(stats()).toMatchObject({ leased: 0, idle: 2, totals: { acquired: 2, released: 2 } });
  });

  it('takes the key of a handler’s own rule, from the platform’s own request', async () => {
    expect(JSON.parse((await call('of/c', 'a')).body)).toEqual({ tenant: 'c', id: 1 });
  });

  it('keeps to the limit of one key while others are served', async () => {
    const calls = [call('held', 'a'), call('held', 'a'), call('held', 'a')];
    await stage.reached('held');
    expect((await call('parameter', 'b')).status).toBe(200);
    expect(stats().leased).toBeLessThanOrEqual(2);
    stage.open('held');
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(stats()).toMatchObject({ leased: 0, waiting: 0 });
  });

  it('answers with what its rule throws', async () => {
    const answer = await call('parameter', 'nobody');
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.body).toContain('which tenant?');
  });

  it('answers 500 where there is no key, and says in the log what is missing', async () => {
    expect((await call('deep')).status).toBe(500);
    expect(running.log.lines.join()).toMatch(/Keyed pool "tenants": the key is missing.*found undefined/);
    expect(stats().totals.acquired).toBe(0);
  });

  it('lends nothing after the request is over, and says that this is why', async () => {
    await call('unawaited', 'a');
    stage.open('afterwards');
    await stage.reached('BorrowScopeEndedError');
  });

  it('starts with its first borrow, whatever the others do by default', () => {
    expect(stats()).toMatchObject({ keys: 0, total: 0, state: 'ready' });
  });

  it('is closed with the application', async () => {
    await call('parameter', 'a');
    await running.app.close();
    expect(stats()).toMatchObject({ state: 'closed', total: 0 });
    await expect(get(running.url)).rejects.toThrow();
  });
});

describe('the key of a borrow', () => {
  const boot = async (pool: AnyPoolDefinition) => {
    const module = await Test.createTestingModule({
      imports: [PoolModule.forRoot({ pools: [pool] })],
    }).compile();
    return {
      borrowed: module.get<Borrowed<Session, string>>(`nestjs-pool-borrowed:${pool.name}`),
      scopes: module.get(BorrowScopes),
      end: () => module.close(),
    };
  };

  it('has to be named where there is no request', async () => {
    const { borrowed, scopes, end } = await boot(tenants());
    await scopes.run(async () => {
      const error = await failureOf(borrowed.get());
      expect(error).toBeInstanceOf(BorrowKeyError);
      expect((error as Error).message).toMatch(/no request here.*borrowed\.get\(\{ key \}\)/);
      expect(await borrowed.get({ key: 'job' })).toMatchObject({ tenant: 'job' });
    });
    await end();
  });

  it('cannot be nothing when it is named', async () => {
    const { borrowed, scopes, end } = await boot(tenants());
    const error = await failureOf(scopes.run(() => borrowed.get({ key: null as never })));
    expect((error as Error).message).toMatch(/what was named is null/);
    await end();
  });

  it('is found by the same rule where a test has put another pool in place', async () => {
    const other = new KeyedPool({
      name: 'fake',
      maxTotal: 1,
      create: ({ key }) => ({ tenant: String(key), id: 0 }),
    });
    const app = await replacingTenants(other);
    const url = await app.getUrl();
    for (const path of ['parameter', 'deep']) {
      const answer = await new Call(`${url}/${path}`, { headers: { 'x-tenant': 'a' } }).answer();
      expect(JSON.parse(answer.body)).toEqual({ tenant: 'a', id: 0 });
    }
    await app.close();
    await other.close();
  });

  it('is nobody’s concern where a test has put a plain pool in place', async () => {
    const other = fakePool(() => ({ tenant: 'any', id: 0 }));
    const app = await replacingTenants(other);
    const answer = await get(`${await app.getUrl()}/of/a`);
    expect(JSON.parse(answer.body)).toEqual({ tenant: 'any', id: 0 });
    await app.close();
    await other.close();
  });

  it('has to be named where there is no rule', async () => {
    const { borrowed, scopes, end } = await boot({ ...tenants(), key: undefined } as never);
    expect(await failureOf(scopes.run(() => borrowed.get()))).toBeInstanceOf(BorrowKeyError);
    expect(await scopes.run(() => borrowed.get({ key: 'x' }))).toMatchObject({ tenant: 'x' });
    await end();
  });

  it('lends one resource that is shared, and fresh ones up to the limit of that key', async () => {
    const { borrowed, scopes, end } = await boot(tenants());
    await scopes.run(async () => {
      const [a, b] = [await borrowed.get({ key: 'x' }), await borrowed.get({ key: 'x', fresh: true })];
      expect(a).not.toBe(b);
      expect(await failureOf(borrowed.get({ key: 'x', fresh: true, timeout: 0 }))).toBeInstanceOf(Error);
      expect(await borrowed.get({ key: 'x' })).toBe(a);
    });
    await end();
  });

  it.each([
    ['', /found an empty text/],
    [null, /found null/],
    [Promise.resolve('x'), /found a promise, but it must be there at once/],
  ])('cannot be %p', async (key, message) => {
    const running = await serve('express', {
      imports: [PoolModule.forRoot({ pools: [{ ...tenants(), key: () => key } as never] })],
      controllers: [Tenants],
      providers: [Repository, Service, { provide: Stage, useValue: new Stage() }],
    });
    expect((await get(`${running.url}/deep`)).status).toBe(500);
    expect(running.log.lines.join()).toMatch(message);
    await running.app.close();
    forgetLoggers();
  });
});

describe('definitions of pools by key', () => {
  const failure = async (pool: object, controllers: (new () => object)[] = []): Promise<string> => {
    const imports = [PoolModule.forRoot({ pools: [pool as never] })];
    const error = await failureOf(
      Test.createTestingModule({ imports, controllers })
        .compile()
        .then(module => module.init()),
    );
    return (error as Error).message;
  };
  const make = { create: () => ({}) };

  it.each([
    [{ name: 'x', ...make, key: () => 1 }, /"x" has a key, which only a pool by key can make use of/],
    [{ name: 'x', ...make, maxTotal: 1, key: 'tenant' }, /"x" has a key that is no function/],
    [
      { name: 'x', ...make, maxTotal: 1, start: 'warm' },
      /start "warm"; a pool by key starts with its first borrow/,
    ],
    [{ name: 'x', ...make, maxTotal: 0 }, /Pool "x": option "maxTotal" is 0/],
    [{ name: 'x', ...make, maxTotal: 5, min: 1 }, /Pool "x": option "min" is 1; it must be left out/],
  ])('are refused when they are wrong: %j', async (definition, message) => {
    expect(await failure(definition)).toMatch(message);
  });

  it('take their total from a factory', async () => {
    const module = await Test.createTestingModule({
      imports: [
        PoolModule.forRoot({
          pools: [{ name: 'x', useFactory: () => ({ maxTotal: 3, create: () => ({}) }) }],
        }),
      ],
    }).compile();
    const pool: unknown = module.get(PoolRegistry).get('x');
    expect(pool).toBeInstanceOf(KeyedPool);
    expect((pool as KeyedPool<string, object>).stats()).toMatchObject({ maxTotal: 3 });
    await module.close();
  });

  it('are refused with a handler that borrows without a key, or with one it should not have', async () => {
    @Controller()
    class Keyless {
      @Get() find(@Borrow('x') item: object): object {
        return item;
      }
    }
    @Controller()
    class Keyed {
      @Get() find(@Borrow('x', { key: () => 'k' }) item: object): object {
        return item;
      }
    }
    expect(await failure({ name: 'x', maxTotal: 2, ...make }, [Keyless])).toMatch(
      /Keyless\.find\(\) borrows from "x", a pool by key, and nobody says which key/,
    );
    expect(await failure({ name: 'x', ...make }, [Keyed])).toMatch(
      /Keyed\.find\(\) borrows from "x" with a key, but it is no pool by key/,
    );
  });
});

/** The application, with another pool in the place of its own. */
async function replacingTenants(other: object): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [PoolModule.forRoot({ pools: [tenants()] })],
    controllers: [Tenants],
    providers: [Repository, Service, { provide: Stage, useValue: new Stage() }],
  })
    .overrideProvider(getPoolToken('tenants'))
    .useValue(other)
    .compile();
  const app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  return app;
}
