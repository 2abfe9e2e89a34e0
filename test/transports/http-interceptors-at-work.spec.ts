import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Param,
  Res,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Observable, Subject, mergeMap, of, startWith, timeout } from 'rxjs';
import { Borrow } from '../../src/index.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { Facade } from '../support/borrowing/services.js';
import type { Thing } from '../support/borrowing/thing.js';
import { PLATFORMS } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

type Answer = ServerResponse & { raw?: ServerResponse };
const nodes = (response: Answer): ServerResponse => response.raw ?? response;

/** Works with the thing of the request after the handler. */
@Injectable()
class WorkAfter implements NestInterceptor {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      mergeMap(async value => {
        const thing = await this.facade.get();
        await this.stage.pass('after');
        // By then that of the other has been destroyed.
        if (!['givenUp', 'announced'].includes(context.getHandler().name)) thing.use();
        return value as unknown;
      }),
    );
  }
}

/** Says something before there is a value, and then works with that as the other does. */
@Injectable()
class Announcing extends WorkAfter {
  override intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      startWith('begun'),
      mergeMap(value =>
        value === 'begun' ? of(value) : super.intercept(context, { handle: () => of(value) }),
      ),
    );
  }
}

/** Gives up on what is further in as soon as that is at work. */
@Injectable()
class Impatient implements NestInterceptor {
  constructor(private readonly stage: Stage) {}
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const atWork = new Subject<never>();
    void this.stage.reached('after').then(() => {
      atWork.error(new Error('too late'));
    });
    return new Observable(subscriber => {
      const failing = atWork.subscribe({
        error: (error: unknown) => {
          subscriber.error(error);
        },
      });
      next.handle().pipe(timeout(30_000)).subscribe(subscriber).add(failing);
    });
  }
}

@Injectable()
class SlowGuard implements CanActivate {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}
  async canActivate(): Promise<boolean> {
    const thing = await this.facade.get();
    await this.stage.pass('guard');
    thing.use();
    return true;
  }
}

@Injectable()
class SlowPipe implements PipeTransform {
  constructor(
    private readonly facade: Facade,
    private readonly stage: Stage,
  ) {}
  async transform(value: unknown): Promise<unknown> {
    const thing = await this.facade.get();
    this.stage.note('piping');
    await this.stage.pass('pipe');
    thing.use();
    return value;
  }
}

@Injectable()
class FailingPipe implements PipeTransform {
  constructor(private readonly stage: Stage) {}
  async transform(): Promise<never> {
    await this.stage.reached('piping');
    throw new Error('refused');
  }
}

@Controller()
class WorkingController {
  constructor(private readonly stage: Stage) {}

  @Get('by-hand')
  @UseInterceptors(WorkAfter)
  byHand(@Res() response: Answer, @Borrow('things') thing: Thing): void {
    thing.use();
    nodes(response).end('by hand');
  }

  @Get('given-up')
  @UseInterceptors(Impatient, WorkAfter)
  givenUp(@Borrow('things') thing: Thing): Observable<number> {
    return of(thing.use());
  }

  @Get('announced')
  @UseInterceptors(Impatient, Announcing)
  announced(@Borrow('things') thing: Thing): Observable<number> {
    return this.givenUp(thing);
  }

  @Get('piped/:a/:b')
  piped(@Param('a', SlowPipe) a: string, @Param('b', FailingPipe) b: string): string {
    return a + b;
  }

  @Get('guarded-by-hand')
  @UseGuards(SlowGuard)
  guardedByHand(@Res() response: Answer): void {
    Readable.from(
      (async function* (stage: Stage) {
        yield 'begun';
        await stage.pass('rows');
        yield 'done';
      })(this.stage),
    ).pipe(nodes(response));
  }

  /** A body that cannot be watched is sent all the same. */
  @Get('frozen')
  frozen(@Borrow('things') _thing: Thing): object {
    return Object.freeze({
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve('frozen');
      },
      toJSON: () => 'frozen',
    });
  }
}

describe.each(PLATFORMS)('what is at work around a handler on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: [WorkingController],
    providers: [WorkAfter, Announcing, Impatient, SlowGuard, SlowPipe, FailingPipe],
    abandonedTimeout: 50,
  });

  it('has the resource until an interceptor is done with it, also after an answer by hand', async () => {
    const answer = rig.call('plain', '../by-hand').answer();
    await rig.stage.reached('after');
    expect((await answer).body).toBe('by hand');
    await nextTurn();
    expect(rig.leased()).toBe(1);
    rig.stage.open('after');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });

  it.each([
    ['has been given up', 'given-up'],
    ['that has said something before has been given up', 'announced'],
  ])('keeps it from others when an interceptor %s with a value inside of it', async (_, path) => {
    expect((await rig.call('plain', `../${path}`).answer()).status).toBe(500);
    await rig.allBack();
    expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
    await rig.pool.use(() => undefined);
    expect(rig.pool.stats().totals.created).toBe(2);
  });

  it('has it until a pipe is done with it, when another parameter has been refused', async () => {
    expect((await rig.call('plain', '../piped/a/b').answer()).status).toBe(500);
    expect(rig.leased()).toBe(1);
    rig.stage.open('pipe');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });

  it('has what its guard has borrowed until what the handler pipes by hand has closed', async () => {
    rig.stage.open('guard');
    const call = rig.call('plain', '../guarded-by-hand');
    await call.firstBytes();
    await rig.stage.reached('rows');
    call.leave();
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('rows');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });

  it('is answered as ever with a body that cannot be watched', async () => {
    const { status, body } = await rig.call('plain', '../frozen').answer();
    expect([status, body]).toEqual([200, expect.stringContaining('frozen')]);
    await rig.allBack();
  });
});

/** One Subject for all: whoever publishes does so in a context of its own. */
@Injectable()
class ByTenant implements NestInterceptor {
  constructor(private readonly facade: Facade) {}
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(mergeMap(async () => (await this.facade.get()).id));
  }
}

const published = new Subject<string>();

@Controller()
class PublishingController {
  constructor(private readonly stage: Stage) {}
  @Get('publish') publish(@Borrow('things') thing: Thing): string {
    published.next('news');
    return `${thing.id}`;
  }
  @Get('hear')
  @UseInterceptors(ByTenant)
  hear(@Borrow('things') thing: Thing): Observable<string> {
    return new Observable(subscriber => {
      this.stage.note(`heard by ${thing.id}`);
      return published.subscribe(value => {
        subscriber.next(value);
        subscriber.complete();
      });
    });
  }
}

describe.each(PLATFORMS)('an Observable on %s that another request makes emit', platform => {
  const rig = borrowingRig(platform, {
    controllers: [PublishingController],
    providers: [ByTenant],
    pool: { max: 2 },
  });

  it('goes on in the scope of its own request', async () => {
    const heard = rig.call('plain', '../hear').answer();
    await rig.stage.reached('heard by 1');
    expect((await rig.call('plain', '../publish').answer()).body).toBe('2');
    expect((await heard).body).toBe('1');
  });
});
