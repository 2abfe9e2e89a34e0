import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Scope, SetMetadata } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import {
  BehaviorSubject,
  Observable,
  concatMap,
  defer,
  from,
  lastValueFrom,
  range,
  retry,
  take,
  toArray,
} from 'rxjs';
import { BorrowScopeEndedError, BorrowScopes, Transactional, UseBorrowScope } from '../../../src/index.js';
import { nextTurn } from '../../support/borrowing/rig.js';
import { Facade } from '../../support/borrowing/services.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf } from '../../support/follow.js';
import { JobBench, Labour } from '../../support/jobs.js';
import { until } from '../../support/until.js';

const Note = (value: string): MethodDecorator => SetMetadata('note', value);
const noteOf = (method: unknown): unknown => Reflect.getMetadata('note', method as object);

@Injectable()
class Base {
  constructor(
    readonly labour: Labour,
    readonly facade: Facade,
    readonly scopes: BorrowScopes,
  ) {}

  @UseBorrowScope()
  work(name: string): Promise<number> {
    return this.labour.do(name);
  }

  @UseBorrowScope()
  async overridden(name: string): Promise<number[]> {
    return [await this.labour.do(name)];
  }

  @UseBorrowScope()
  async inherited(): Promise<number> {
    return (await this.facade.get()).use();
  }
}

@Injectable()
class Jobs extends Base {
  @UseBorrowScope({ own: true })
  apart(name: string): Promise<number> {
    return this.labour.do(name);
  }

  @UseBorrowScope()
  override async overridden(name: string): Promise<number[]> {
    const mine = (await this.facade.get()).use();
    return [mine, ...(await super.overridden(name))];
  }

  @UseBorrowScope()
  async calls(): Promise<readonly [number, number, number]> {
    const thing = await this.facade.get();
    return [thing.use(), await this.work('joined'), await this.apart('apart')];
  }

  @UseBorrowScope()
  async countdown(n: number): Promise<number[]> {
    const { id } = await this.facade.get();
    return n === 0 ? [id] : [id, ...(await this.countdown(n - 1))];
  }

  @UseBorrowScope()
  sum(a: number, b: number): number {
    return a + b;
  }

  @UseBorrowScope()
  throws(): never {
    throw new Error('at once');
  }

  @UseBorrowScope()
  subject(): BehaviorSubject<number> {
    return new BehaviorSubject(7);
  }

  /** What it borrows is borrowed by each subscription. */
  @UseBorrowScope()
  cold(count: number): Observable<number> {
    return range(0, count).pipe(concatMap(async () => (await this.facade.get()).use()));
  }

  /** It has borrowed when it is subscribed to. */
  @UseBorrowScope()
  async warm(): Promise<Observable<number>> {
    const thing = await this.facade.get();
    return from([1, 2, 3]).pipe(concatMap(async n => n * thing.use()));
  }

  attempts = 0;
  @UseBorrowScope()
  flaky(): Observable<number> {
    return defer(async () => {
      const id = (await this.facade.get()).use();
      if (++this.attempts < 3) throw new Error('again');
      return id;
    });
  }

  @UseBorrowScope()
  async *rows(): AsyncGenerator<number> {
    const thing = await this.facade.get();
    for (let i = 0; i < 3; i++) yield thing.use();
  }

  @UseBorrowScope()
  async stream(): Promise<Readable> {
    const thing = await this.facade.get();
    return Readable.from(
      (async function* () {
        for (let i = 0; i < 3; i++) yield await Promise.resolve(String(thing.use()));
      })(),
    );
  }

  /** Begins when it is waited for, as a query that is built. */
  @UseBorrowScope()
  lazy(): PromiseLike<number> {
    const { facade } = this;
    return {
      then: (...callbacks) =>
        facade
          .get()
          .then(thing => thing.use())
          .then(...callbacks),
    };
  }

  readonly events = new EventEmitter();
  late!: Promise<unknown>;
  @UseBorrowScope()
  async leavesBehind(): Promise<void> {
    await this.facade.get();
    this.late = new Promise(resolve => this.events.once('later', resolve)).then(async () => [
      await failureOf(this.facade.get()),
      await this.work('begun late'),
    ]);
  }

  @Note('above')
  @UseBorrowScope()
  above(_a: number, _b: number): void {
    // Nothing to do.
  }

  @UseBorrowScope()
  @Note('below')
  below(): void {
    // Nothing to do.
  }

  @UseBorrowScope()
  @Transactional('things')
  @Note('lowest')
  async transactional(): Promise<number> {
    return (await this.facade.get()).use();
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends Base {}

const begin = () => ({ commit: () => undefined, rollback: () => undefined });

describe('a method with @UseBorrowScope', () => {
  let bench: JobBench;
  let jobs: Jobs;
  beforeEach(async () => {
    bench = await JobBench.start({ providers: [Jobs, PerRequest] }, { begin });
    jobs = bench.app.get(Jobs);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('has what it borrows until its promise has settled', async () => {
    const working = jobs.work('one');
    await bench.stage.reached('one');
    expect(bench.leased()).toBe(1);
    bench.stage.open('one');
    const id = await working;
    expect(bench.leased()).toBe(0);
    expect(id).toBe(1);
  });

  it('gives it back when it fails, and its pool is told why', async () => {
    bench.stage.open('fails');
    expect(await failureOf(jobs.work('fails'))).toMatchObject({ message: 'fails' });
    expect(bench.leased()).toBe(0);
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });

  it('shares nothing with another call at the same time', async () => {
    const both = Promise.all([jobs.work('one'), jobs.work('two')]);
    await Promise.all([bench.stage.reached('one'), bench.stage.reached('two')]);
    expect(bench.leased()).toBe(2);
    bench.stage.open('one', 'two');
    expect(new Set(await both).size).toBe(2);
  });

  it('joins the scope that is running, and does not where it has one of its own', async () => {
    bench.stage.open('joined', 'apart');
    const [mine, joined, apart] = await jobs.calls();
    expect(joined).toBe(mine);
    expect(apart).not.toBe(mine);
  });

  it('may call itself', async () => {
    const ids = await jobs.countdown(5);
    expect(new Set(ids).size).toBe(1);
  });

  it('may be inherited, and one that overrides it may call it', async () => {
    bench.stage.open('over');
    expect(await jobs.inherited()).toBe(1);
    expect(await jobs.overridden('over')).toEqual([1, 1]);
  });

  it('joins no scope that is over, and code that runs on after it has none', async () => {
    bench.stage.open('begun late');
    await jobs.leavesBehind();
    expect(bench.leased()).toBe(0);
    jobs.events.emit('later');
    expect(await jobs.late).toMatchObject([{ name: 'BorrowScopeEndedError' }, 1]);
  });

  it('stays synchronous where it is', () => {
    expect(jobs.sum(1, 2)).toBe(3);
    expect(() => jobs.throws()).toThrow('at once');
  });

  it('begins what is lazy in its scope', async () => {
    expect(await jobs.lazy()).toBe(1);
    expect(bench.leased()).toBe(0);
  });

  it('keeps its name, the number of its parameters, and the metadata of decorators above and below', async () => {
    expect(noteOf(jobs.above)).toBe('above');
    expect(noteOf(jobs.below)).toBe('below');
    expect(noteOf(jobs.transactional)).toBe('lowest');
    expect([jobs.above.name, jobs.above.length]).toEqual(['above', 2]);
    expect(await jobs.transactional()).toBe(1);
  });

  it('is found its application by a provider that each request has one of', async () => {
    bench.stage.open('one');
    const one = await bench.app.resolve(PerRequest, ContextIdFactory.create());
    expect(await one.work('one')).toBe(1);
  });

  describe('that returns an Observable', () => {
    it('has what it borrows while somebody is subscribed, each for himself', async () => {
      const source = jobs.cold(3);
      expect(bench.leased()).toBe(0);
      expect(await lastValueFrom(source.pipe(toArray()))).toEqual([1, 1, 1]);
      expect(bench.leased()).toBe(0);
      const firsts = await Promise.all([
        lastValueFrom(source.pipe(take(1))),
        lastValueFrom(source.pipe(take(1))),
      ]);
      expect(new Set(firsts).size).toBe(2);
      expect(bench.leased()).toBe(0);
    });

    it('gives each attempt its own', async () => {
      expect(await lastValueFrom(jobs.flaky().pipe(retry(3)))).toBe(1);
      expect(jobs.attempts).toBe(3);
      expect(Thing.reported).toHaveLength(2);
    });

    it('keeps what it has borrowed itself for whoever subscribes first, once', async () => {
      const source = await jobs.warm();
      expect(bench.leased()).toBe(1);
      expect(await lastValueFrom(source.pipe(toArray()))).toEqual([1, 2, 3]);
      expect(bench.leased()).toBe(0);
      expect(await failureOf(lastValueFrom(source))).toBeInstanceOf(BorrowScopeEndedError);
    });

    it('belongs to the scope that it has joined', async () => {
      const seen = await jobs.scopes.run(async () => {
        const source = await jobs.warm();
        const values = await lastValueFrom(source.pipe(toArray()));
        return [values, bench.leased()];
      });
      expect(seen).toEqual([[1, 2, 3], 1]);
      const left = await jobs.scopes.run(() => jobs.warm());
      expect(bench.leased()).toBe(0);
      expect(await failureOf(lastValueFrom(left))).toBeInstanceOf(BorrowScopeEndedError);
    });

    it('returns a Subject as it is', () => {
      expect(jobs.subject().getValue()).toBe(7);
    });
  });

  describe('that returns a stream', () => {
    it.each(['to its end', 'half-way'])(
      'has what it borrows until an async generator has been read %s',
      async how => {
        const rows = jobs.rows();
        expect(bench.leased()).toBe(0);
        await rows.next();
        expect(bench.leased()).toBe(1);
        for await (const row of rows) {
          expect(row).toBe(1);
          expect(bench.leased()).toBe(1);
          if (how === 'half-way') break;
        }
        expect(bench.leased()).toBe(0);
      },
    );

    it('has what it borrows until a stream has closed', async () => {
      const stream = await jobs.stream();
      expect(bench.leased()).toBe(1);
      expect(await stream.toArray()).toEqual(['1', '1', '1']);
      await bench.allBack();
    });

    it('is not missed when it has been read', async () => {
      const read = async (): Promise<WeakRef<Readable>> => {
        const stream = await jobs.stream();
        await stream.toArray();
        return new WeakRef(stream);
      };
      await jobs.scopes.run(async () => {
        const stream = await read();
        await until(
          async () => {
            collect();
            await nextTurn();
            return stream.deref() === undefined;
          },
          gone => gone,
        );
        await nextTurn();
      });
      expect(bench.log.lines.filter(line => line.includes('has borrowed'))).toEqual([]);
    });

    it.each(['stream', 'warm'] as const)(
      'that nobody has read gives it back when it is cleared up, and says so (%s)',
      async method => {
        await jobs[method]();
        expect(bench.leased()).toBe(1);
        await until(
          async () => {
            collect();
            await nextTurn();
            return bench.leased();
          },
          n => n === 0,
        );
        expect(bench.log.lines.filter(line => line.includes(`${method}() has borrowed`))).toHaveLength(1);
      },
    );
  });
});

function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

it('belongs to the application that has made its object', async () => {
  await using one = await JobBench.start({ providers: [Jobs] }, { begin });
  await using other = await JobBench.start({ providers: [Jobs] }, { begin });
  const [first, second] = [one.app.get(Jobs), other.app.get(Jobs)];
  const both = Promise.all([first.work('one'), second.work('one')]);
  await Promise.all([one.stage.reached('one'), other.stage.reached('one')]);
  expect([one.leased(), other.leased()]).toEqual([1, 1]);
  one.stage.open('one');
  other.stage.open('one');
  await both;
  // Within a scope of the other application it has one of its own.
  one.stage.open('within');
  await first.scopes.run(async () => {
    await first.facade.get();
    other.stage.open('within');
    await second.work('within');
    expect([one.leased(), other.leased()]).toEqual([1, 0]);
  });
});

describe('what is wrong is told', () => {
  const on = (target: object, key: string): void =>
    UseBorrowScope()(target, key, Object.getOwnPropertyDescriptor(target, key) as never);

  it.each([
    [() => on({ field: 1 }, 'field'), /belongs on a method\./],
    [() => on({}, 'missing'), /belongs on a method\./],
    [
      () =>
        on(
          {
            get value() {
              return 1;
            },
          },
          'value',
        ),
      /belongs on a method\./,
    ],
    [
      () =>
        on(
          class {
            static work(): void {}
          },
          'work',
        ),
      /not static/,
    ],
    [
      () =>
        on(
          {
            *rows() {
              yield 1;
            },
          },
          'rows',
        ),
      /rows\(\) is a generator/,
    ],
    [() => UseBorrowScope({ own: 'yes' as never }), /own must be true or false/],
  ] as [() => unknown, RegExp][])('where it is written (%#)', (write, message) => {
    expect(write).toThrow(TypeError);
    expect(write).toThrow(message);
  });

  it('on an object that Nest has not made, and on a method without its object', () => {
    const strange = new Jobs(undefined as never, undefined as never, undefined as never);
    expect(() => strange.work('one')).toThrow(/work\(\) was called on an object that NestJS has not made/);
    const { sum } = strange;
    expect(() => sum(1, 2)).toThrow(/has not made/);
  });
});
