import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { Borrow, Borrowed, InjectBorrowed, PoolModule, PoolRegistry } from '../../src/index.js';
import { probeCalls, watchCalls } from '../../src/transports/index.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type Platform, type RunningApp } from '../support/nest-app.js';

type Handler = (...args: never[]) => unknown;

const byFunction = new WeakMap<object, string>();

/** Three ways to remember something about a handler: all of them by its function. */
const STORES: Readonly<
  Record<string, { set: (handler: Handler) => void; get: (handler: Handler) => unknown }>
> = {
  'a property of the function': {
    set: handler => Object.assign(handler, { role: 'admin' }),
    get: handler => (handler as { role?: string }).role,
  },
  'a WeakMap by the function': {
    set: handler => byFunction.set(handler, 'admin'),
    get: handler => byFunction.get(handler),
  },
  'Reflect metadata of the function': {
    set: handler => {
      Reflect.defineMetadata('role', 'admin', handler);
    },
    get: handler => Reflect.getMetadata('role', handler) as unknown,
  },
};

/** What nothing is said of is for everybody. */
function guardBy(store: string): { Admin: MethodDecorator; RoleGuard: Type<CanActivate>; seen: Handler[] } {
  const { set, get: roleOf } = STORES[store]!;
  const seen: Handler[] = [];
  @Injectable()
  class RoleGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const handler = context.getHandler() as Handler;
      seen.push(handler);
      const { headers } = context.switchToHttp().getRequest<IncomingMessage>();
      return roleOf(handler) === undefined || headers['x-role'] === roleOf(handler);
    }
  }
  const Admin: MethodDecorator = (_target, _key, { value }) => {
    set(value as unknown as Handler);
  };
  return { Admin, RoleGuard, seen };
}

const pools = (): ReturnType<typeof PoolModule.forRoot> =>
  PoolModule.forRoot({ log: false, pools: [{ name: 'items', max: 1, create: () => ({ id: 1 }) }] });

describe.each(PLATFORMS)('a handler on %s', platform => {
  const apps: RunningApp[] = [];
  const start = async (
    on: Platform,
    controllers: Type[],
    providers: Type[],
    withPools = true,
  ): Promise<RunningApp> => {
    const running = await serve(on, { imports: withPools ? [pools()] : [], controllers, providers });
    apps.push(running);
    return running;
  };

  afterEach(async () => {
    for (const { app } of apps.splice(0)) await app.close();
    forgetLoggers();
  });

  describe.each(Object.keys(STORES))('that is known by %s', store => {
    it.each([true, false])('is guarded as ever (with pools: %s)', async withPools => {
      const { Admin, RoleGuard, seen } = guardBy(store);
      @Controller()
      @UseGuards(RoleGuard)
      class Items {
        @Get() @Admin drop(): string {
          return 'dropped';
        }
      }
      const { drop } = Items.prototype;
      const { url } = await start(platform, [Items], [RoleGuard], withPools);
      expect((await get(url)).status).toBe(403);
      const allowed = await fetch(url, { headers: { 'x-role': 'admin' } });
      expect(await allowed.text()).toBe('dropped');
      expect(Items.prototype.drop).toBe(drop);
      expect(seen).toEqual([drop, drop]);
      expect(seen[0]).toBe(drop);
    });
  });

  it('is the same function when it is inherited, mixed in, or in two applications', async () => {
    const { Admin, RoleGuard, seen } = guardBy('a WeakMap by the function');
    class Base {
      @Get('inherited') @Admin inherited(@Borrow('items') item: object): object {
        return item;
      }
    }
    const mixin = (path: string): Type => {
      @Controller(path)
      @UseGuards(RoleGuard)
      class Mixed extends Base {
        @Get('own') @Admin own(@Borrow('items') item: object): object {
          return item;
        }
      }
      return Mixed;
    };
    const [One, Two] = [mixin('one'), mixin('two')];
    const first = await start(platform, [One, Two], [RoleGuard]);
    const second = await start(platform, [One], [RoleGuard]);
    const headers = { 'x-role': 'admin' };
    for (const url of [`${first.url}/one`, `${first.url}/two`, `${second.url}/one`]) {
      for (const path of ['inherited', 'own']) {
        expect((await fetch(`${url}/${path}`)).status).toBe(403);
        expect(await (await fetch(`${url}/${path}`, { headers })).json()).toEqual({ id: 1 });
      }
    }
    const own = [One, Two].map(({ prototype }) => (prototype as { own: Handler }).own);
    expect(new Set(seen)).toEqual(new Set([Base.prototype.inherited, ...own]));
    expect(Object.hasOwn(One.prototype as object, 'inherited')).toBe(false);
    for (const { app } of [first, second]) {
      expect(app.get(PoolRegistry).get('items').stats().leased).toBe(0);
    }
  });

  it('that another calls directly shares its resource, and nothing is given back in between', async () => {
    @Controller()
    class Items {
      constructor(@InjectBorrowed('items') private readonly items: Borrowed<object>) {}
      @Get('inner') async inner(): Promise<object> {
        return this.items.get();
      }
      @Get('outer') async outer(@Borrow('items') item: object): Promise<object> {
        const same = (await this.inner()) === item;
        return { same, again: (await this.items.get()) === item };
      }
    }
    const { url, app } = await start(platform, [Items], []);
    expect((await get(`${url}/outer`)).body).toBe('{"same":true,"again":true}');
    expect(app.get(PoolRegistry).get('items').stats().totals).toMatchObject({ acquired: 1, released: 1 });
    expect(app.get(PoolRegistry).get('items').stats().leased).toBe(0);
  });
});

describe('a version of NestJS that is not known', () => {
  const UNKNOWN = /does not know this version of NestJS/;

  it('is found at the start when it calls handlers in another way', async () => {
    const creator = {
      create: (instance: object, callback: Handler) => async (): Promise<unknown> => callback.call(instance),
    };
    await expect(probeCalls(creator as unknown as ExternalContextCreator)).rejects.toThrow(UNKNOWN);
  });

  it('keeps an application from starting that has pools', async () => {
    const { create } = ExternalContextCreator.prototype;
    ExternalContextCreator.prototype.create = ((instance: object, callback: Handler) => async () =>
      callback.call(instance)) as typeof create;
    try {
      await expect(serve('express', { imports: [pools()] })).rejects.toThrow(UNKNOWN);
    } finally {
      ExternalContextCreator.prototype.create = create;
      forgetLoggers();
    }
  });

  it.each([
    'interceptorsConsumer.intercept',
    'guardsConsumer.tryActivate',
    'pipesConsumer.apply',
    'filtersContextCreator.createConcreteContext',
  ])('is found when it has no %s()', missing => {
    const creator = {
      interceptorsConsumer: { intercept: () => undefined },
      guardsConsumer: { tryActivate: () => undefined },
      pipesConsumer: { apply: () => undefined },
      filtersContextCreator: { createConcreteContext: () => [] },
    };
    const [consumer, method] = missing.split('.') as [keyof typeof creator, string];
    (creator as unknown as Record<string, object>)[consumer] = { [method]: undefined };
    expect(() => {
      watchCalls(creator as unknown as ExternalContextCreator, error => error);
    }).toThrow(UNKNOWN);
    (creator as unknown as Record<string, undefined>)[consumer] = undefined;
    expect(() => {
      watchCalls(creator as unknown as ExternalContextCreator, error => error);
    }).toThrow(`its ${method}() is not where it was`);
  });
});
