import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  Injectable,
  ParseIntPipe,
  Query,
  Res,
  SetMetadata,
  UseGuards,
  UseInterceptors,
  applyDecorators,
  createParamDecorator,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  StreamableFile,
} from '@nestjs/common';
import { Readable } from 'node:stream';
import { Reflector } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { Borrow, Borrowed, InjectBorrowed, PoolModule, PoolRegistry } from '../../src/index.js';
import { Call, get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { socketClosed } from '../support/socket-closed.js';
import { Stage } from '../support/stage.js';
import { until } from '../support/until.js';

const stage = new Stage();
const order: string[] = [];

@Injectable()
class Below {
  constructor(@InjectBorrowed('a') readonly a: Borrowed<string>) {}
}

// ---- decorators of the application, around a handler ----

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Descriptor = TypedPropertyDescriptor<(...args: never[]) => unknown>;

/** Replaces the handler by a function of another name, with its metadata; called before @Get() or after it. */
const Wrapped = (name = ''): MethodDecorator =>
  ((_target: object, _key: string, descriptor: Descriptor) => {
    const inner = descriptor.value as Method;
    const outer: Method = async function (...args) {
      order.push('wrapper in');
      try {
        return await inner.apply(this, args);
      } finally {
        // What the handler has borrowed is the wrapper's too, after the handler.
        await stage.pass('wrapper');
        order.push('wrapper out');
      }
    };
    Object.defineProperty(outer, 'name', { value: name });
    for (const key of Reflect.getMetadataKeys(inner) as string[]) {
      Reflect.defineMetadata(key, Reflect.getMetadata(key, inner), outer);
    }
    descriptor.value = outer;
  }) as MethodDecorator;

@Injectable()
class RoleGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly below: Below,
  ) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    order.push(`guard ${this.reflector.get<string>('role', context.getHandler())}`);
    return (await this.below.a.get()) === 'a1';
  }
}

@Injectable()
class WrapInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    order.push(`interceptor ${context.getHandler().name}`);
    return next.handle();
  }
}

const Route = (path: string) =>
  applyDecorators(
    Get(path),
    SetMetadata('role', 'reader'),
    UseGuards(RoleGuard),
    UseInterceptors(WrapInterceptor),
    HttpCode(202),
    Header('x-route', path),
  );

const Agent = createParamDecorator((name: string, context: ExecutionContext) => {
  const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
  return Promise.resolve(headers[name]);
});

@Injectable()
class Shout implements PipeTransform {
  constructor(private readonly below: Below) {}
  async transform(value: string): Promise<string> {
    return `${value.toUpperCase()} ${await this.below.a.get()}`;
  }
}

@Controller('own')
class OwnController {
  constructor(private readonly below: Below) {}

  @Route('applied')
  async applied(@Borrow('a') a: string): Promise<object> {
    await stage.pass('handler');
    return { a, below: await this.below.a.get() };
  }

  @Get('wrapped-first')
  @Wrapped()
  async wrappedFirst(@Borrow('a') a: string, @Borrow('b') b: string): Promise<object> {
    return { a, b, below: await this.below.a.get() };
  }

  @Wrapped('minified')
  @Get('wrapped-last')
  async wrappedLast(@Borrow('a') a: string, @Borrow('b') b: string): Promise<object> {
    return { a, b, below: await this.below.a.get() };
  }

  @Get('parameters')
  async parameters(
    @Agent('host', Shout) host: string,
    @Borrow('b') b: string,
    @Query('n', ParseIntPipe) n: number,
    @Borrow('a') a: string,
  ): Promise<object> {
    return { host, n, a, b, below: await this.below.a.get() };
  }
}

// ---- handlers that are inherited ----

// Decorated, so that Nest knows what those that inherit its constructor depend on.
@Injectable()
abstract class Crud<T extends object> {
  constructor(protected readonly below: Below) {}
  protected abstract show(name: string): T;

  @Get('one')
  async one(@Borrow('a') a: string): Promise<T> {
    await stage.pass('handler');
    return { ...this.show(a), below: await this.below.a.get() };
  }

  @Get('rows')
  rows(): StreamableFile {
    return new StreamableFile(Readable.from(this.read()));
  }

  private async *read(): AsyncGenerator<string> {
    try {
      yield await this.below.a.get();
    } finally {
      await stage.pass('source');
    }
  }

  @Get('raw')
  async raw(@Res() response: ServerResponse & { raw?: ServerResponse }): Promise<void> {
    const a = await this.below.a.get();
    void stage.pass('raw').then(() => (response.raw ?? response).end(a));
  }
}

/** A mixin: a base of its own for each that uses it. */
function CountedCrud(kind: string) {
  abstract class Counted extends Crud<object> {
    @Get('count')
    async count(@Borrow('a') a: string): Promise<object> {
      await stage.pass('handler');
      return { kind, a };
    }
  }
  return Counted;
}

@Controller('cats')
class CatsController extends Crud<{ cat: string }> {
  protected show(name: string): { cat: string } {
    return { cat: name };
  }
  @Get('one')
  override async one(@Borrow('a') a: string): Promise<{ cat: string }> {
    return { ...(await super.one(a)), cat: 'overridden' };
  }
  @Get('summary')
  async summary(): Promise<object> {
    const rows: string[] = [];
    for await (const row of super.rows().getStream()) rows.push(row as string);
    return { rows, below: await this.below.a.get() };
  }
}

@Controller('dogs')
class DogsController extends CountedCrud('dog') {
  protected show(name: string): object {
    return { dog: name };
  }
  @Get('one')
  override async one(@Borrow('a') a: string): Promise<object> {
    return { mine: a, below: await this.below.a.get() };
  }
}

@Controller('plain')
class PlainCrud extends CountedCrud('plain') {
  protected show(name: string): object {
    return { plain: name };
  }
}

describe.each(PLATFORMS)('on %s, a borrowed resource', platform => {
  let running: RunningApp[];

  const start = async (): Promise<RunningApp> => {
    const pool = (name: string) => ({
      name,
      max: 1,
      create: () => `${name}1`,
      listeners: [{ onAcquire: () => order.push(name) }],
    });
    const one = await serve(platform, {
      imports: [PoolModule.forRoot({ pools: [pool('a'), pool('b')] })],
      controllers: [OwnController, CatsController, DogsController, PlainCrud],
      providers: [Below, RoleGuard, Shout],
    });
    running.push(one);
    return one;
  };
  const leased = (index = 0): number => {
    const registry = running[index]!.app.get(PoolRegistry);
    return registry.get('a').stats().leased + registry.get('b').stats().leased;
  };
  const allBack = (index = 0): Promise<number> =>
    until(
      () => leased(index),
      n => n === 0,
    );

  beforeEach(async () => {
    order.length = 0;
    stage.reset();
    running = [];
    await start();
  });
  afterEach(async () => {
    stage.openAll();
    for (const [index, { app }] of running.entries()) {
      await allBack(index);
      await app.close();
    }
    forgetLoggers();
  });

  /** Asks, and looks who has what while the code is at a place; then lets it go on. */
  const ask = async (path: string, place: string, expected: number): Promise<unknown> => {
    const answer = get(`${running[0]!.url}/${path}`);
    await stage.reached(place);
    expect(leased()).toBe(expected);
    stage.open(place);
    const { body } = await answer;
    await allBack();
    return body.startsWith('{') ? JSON.parse(body) : body;
  };

  it('is the handler’s whose decorators were put together with applyDecorators', async () => {
    const answer = get(`${running[0]!.url}/own/applied`);
    await stage.reached('handler');
    expect(leased()).toBe(1);
    stage.open('handler');
    expect(await answer).toMatchObject({ status: 202, body: '{"a":"a1","below":"a1"}' });
    expect((await answer).headers['x-route']).toBe('applied');
    expect(order).toEqual(['guard reader', 'a', 'interceptor applied']);
    await allBack();
  });

  it.each(['wrapped-first', 'wrapped-last'])(
    'is there until a decorator’s function around the handler is done (%s), and borrowed in order',
    async path => {
      expect(await ask(`own/${path}`, 'wrapper', 2)).toEqual({ a: 'a1', b: 'b1', below: 'a1' });
      expect(order).toEqual(['a', 'b', 'wrapper in', 'wrapper out']);
    },
  );

  it('stands beside parameters of the application’s own decorators and pipes', async () => {
    const { host } = new URL(running[0]!.url);
    const { body } = await get(`${running[0]!.url}/own/parameters?n=7`);
    expect(JSON.parse(body)).toEqual({ host: `${host} a1`, n: 7, a: 'a1', b: 'b1', below: 'a1' });
    await allBack();
  });

  it('comes back when a pipe beside it refuses', async () => {
    expect((await get(`${running[0]!.url}/own/parameters?n=x`)).status).toBe(400);
    await allBack();
    expect(order).toEqual(['a', 'b']);
  });

  it('is an inherited handler’s, in each class that inherits it', async () => {
    expect(await ask('plain/one', 'handler', 1)).toEqual({ plain: 'a1', below: 'a1' });
    stage.reset();
    expect(await ask('plain/count', 'handler', 1)).toEqual({ kind: 'plain', a: 'a1' });
    stage.reset();
    expect(await ask('dogs/count', 'handler', 1)).toEqual({ kind: 'dog', a: 'a1' });
  });

  it('is an overriding handler’s, and that of the one it calls', async () => {
    expect(await ask('cats/one', 'handler', 1)).toEqual({ cat: 'overridden', below: 'a1' });
    expect(JSON.parse((await get(`${running[0]!.url}/dogs/one`)).body)).toEqual({ mine: 'a1', below: 'a1' });
    await allBack();
  });

  it.each(['cats', 'dogs', 'plain'])(
    'is held by inherited streams and answers by hand, of %s',
    async kind => {
      expect(await ask(`${kind}/rows`, 'source', 1)).toBe('a1');
      expect(await ask(`${kind}/raw`, 'raw', 1)).toBe('a1');
    },
  );

  it.each(['cats', 'dogs', 'plain'])(
    'is held by the stream of an inherited handler, of %s, whose client leaves half-way',
    async kind => {
      const half = new Call(`${running[0]!.url}/${kind}/rows`);
      await half.firstBytes();
      await stage.reached('source');
      half.leave();
      await socketClosed(running[0]!);
      expect(leased()).toBe(1);
      stage.open('source');
      await allBack();
    },
  );

  it('is shared with a handler that another one calls, and whose stream it reads', async () => {
    expect(await ask('cats/summary', 'source', 1)).toEqual({ rows: ['a1'], below: 'a1' });
  });

  it('is one application’s, of two that have the same controllers in one process', async () => {
    await start();
    const answers = running.map(({ url }) => get(`${url}/cats/one`));
    await until(
      () => [leased(0), leased(1)],
      seen => seen.join() === '1,1',
    );
    stage.open('handler');
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    await allBack(0);
    await allBack(1);
    expect(running.map(({ app }) => app.get(PoolRegistry).get('a').stats().totals.acquired)).toEqual([1, 1]);
  });
});
