import {
  Catch,
  ForbiddenException,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  applyDecorators,
  type ArgumentMetadata,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { WsException } from '@nestjs/websockets';
import {
  EMPTY,
  Observable,
  concat,
  concatMap,
  defer,
  ignoreElements,
  map,
  retry,
  shareReplay,
  startWith,
  throwError,
  timeout,
} from 'rxjs';
import { Borrowed, InjectBorrowed } from '../../../src/index.js';
import { Facade } from '../../support/borrowing/services.js';
import type { Thing } from '../../support/borrowing/thing.js';
import { InVain } from '../../support/failing-pools.js';
import { Stage } from '../../support/stage.js';
import { orderIn, orderOf, type Order, type PlaceInMessage } from './order.js';

/** What the application says of itself, for its clients to read. */
export class AppError extends Error {}

/** What a message's handler was given. */
export interface Given {
  readonly thing?: Thing | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What all controllers, gateways and resolvers do; they only pass messages on. */
@Injectable()
export class Work {
  /** Who has used which thing, by message. */
  private readonly uses = new Map<string, string[]>();
  private readonly calls = new Map<string, number>();

  constructor(
    private readonly facade: Facade,
    private readonly inVain: InVain,
    private readonly stage: Stage,
    @InjectBorrowed('tenants') private readonly tenants: Borrowed<{ key: string }, string>,
  ) {}

  /** Who has used what, in their order: `guard 1`. */
  usesOf({ id }: Order): readonly string[] {
    return this.uses.get(id) ?? [];
  }

  /** How often the handler was called. */
  callsOf({ id }: Order): number {
    return this.calls.get(id) ?? 0;
  }

  /** A message has come to a place. */
  async at(place: PlaceInMessage, order: Order): Promise<void> {
    if (order.uses?.includes(place)) this.use(order, place, await this.facade.get());
    await this.stop(place, order);
  }

  /** The handler. With an order for an Observable it is at work before it returns it, as most are. */
  async handle(order: Order, { thing, signal }: Given = {}): Promise<unknown> {
    this.calls.set(order.id, this.callsOf(order) + 1);
    signal?.addEventListener('abort', () => this.stage.note(`left ${order.id}`));
    if (order.pool) return this.inVain.borrow(order.pool);
    if (order.returns === 'lazy')
      return defer(async () => this.use(order, 'handler', await this.facade.get()));
    const used = thing ?? (await this.facade.get());
    this.use(order, 'handler', used);
    // Another service of the message.
    this.use(order, 'service', await this.facade.get());
    await this.stop('handler', order);
    used.use();
    switch (order.returns) {
      case undefined:
        return { thing: used.id };
      case 'none':
        return EMPTY;
      default:
        return this.values(order, used);
    }
  }

  async keyed(order: Order): Promise<unknown> {
    const { key } = await this.tenants.get({ key: order.key });
    return { key };
  }

  use(order: Order, who: string, thing: Thing): { thing: number } {
    const id = thing.use();
    const uses = this.uses.get(order.id) ?? [];
    this.uses.set(order.id, [...uses, `${who} ${id}`]);
    return { thing: id };
  }

  private async stop(place: PlaceInMessage, order: Order): Promise<void> {
    const name = `${place} ${order.id}`;
    if (order.stops?.includes(place)) await this.stage.pass(name);
    else this.stage.note(name);
    if (order.throws === place) throw new AppError(`thrown at the ${place}`);
  }

  /** The first at once, the second after a stop, each with the thing. Its teardown uses it, too. */
  private values(order: Order, thing: Thing): Observable<unknown> {
    return new Observable(subscriber => {
      const emit = (): void => subscriber.next(this.use(order, 'observable', thing));
      this.stage.note(`subscribed ${order.id}`);
      emit();
      if (order.returns !== 'endless') {
        void this.stop('half', order).then(() => {
          if (order.returns === 'half') {
            subscriber.error(new AppError('thrown half-way'));
            return;
          }
          if (!subscriber.closed) emit();
          subscriber.complete();
        });
      }
      return () => {
        this.use(order, 'teardown', thing);
        this.stage.note(`teardown ${order.id}`);
      };
    });
  }
}

@Injectable()
export class SuiteGuard implements CanActivate {
  constructor(private readonly work: Work) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const order = orderIn(context);
    await this.work.at('before', order);
    await this.work.at('guard', order);
    return order.refused !== true;
  }
}

@Injectable()
export class SuitePipe implements PipeTransform<unknown, Promise<Order>> {
  constructor(private readonly work: Work) {}
  async transform(value: unknown): Promise<Order> {
    const order = orderOf(value)!;
    await this.work.at('pipe', order);
    return order;
  }
}

@Injectable()
export class SuiteInterceptor implements NestInterceptor {
  constructor(private readonly work: Work) {}
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const order = orderIn(context);
    await this.work.at('interceptor', order);
    const answer = next.handle().pipe(
      concatMap(async (value: unknown) => {
        await this.work.at('after', order);
        return value;
      }),
    );
    switch (order.interceptor) {
      case 'gives up':
        return answer.pipe(timeout(20));
      case 'retries':
        return answer.pipe(retry(1));
      case 'announces':
        // Of a form that every transport can send; over WebSockets it is no answer to anything.
        return answer.pipe(startWith({ json: 'null' }));
      case 'defers':
        return defer(() => this.work.at('deferred', order)).pipe(concatMap(() => answer));
      case 'shares':
        return answer.pipe(shareReplay(1));
      case 'concludes':
        return concat(answer, defer(() => this.work.at('last', order)).pipe(ignoreElements()));
      default:
        return answer;
    }
  }
}

/** Answers what the application has thrown, after it has borrowed for that. */
@Catch(AppError, ForbiddenException, RpcException, WsException)
export class SuiteFilter implements ExceptionFilter {
  constructor(private readonly work: Work) {}
  catch(error: Error, host: ArgumentsHost): unknown {
    const order = orderIn(host);
    const worked = this.work.at('filter', { ...order, throws: 'half' });
    return reply({ message: error.message }, order, host, worked);
  }
}

interface WsClient {
  readonly readyState?: number;
  emit(event: string, data: unknown): void;
  send(text: string): void;
}

interface Response {
  readonly raw?: Response;
  statusCode: number;
  end(text: string): void;
}

/** In the form of the transport, when the work is done. */
function reply(
  error: { message: string },
  order: Order,
  host: ArgumentsHost,
  worked: Promise<void>,
): unknown {
  switch (host.getType<string>()) {
    case 'rpc':
      return defer(() => worked).pipe(
        map(() => throwError(() => error)),
        concatMap(failed => failed),
      );
    case 'graphql':
      return worked.then(() => new Error(error.message));
    case 'ws':
      return worked.then(() => {
        const client = host.switchToWs().getClient<WsClient>();
        const said = { ...error, cause: { data: order } };
        if (client.readyState === undefined) client.emit('exception', said);
        else client.send(JSON.stringify({ event: 'exception', data: said }));
      });
    default:
      return worked.then(() => {
        const response = host.switchToHttp().getResponse<Response>();
        const raw = response.raw ?? response;
        raw.statusCode = 500;
        raw.end(JSON.stringify(error));
      });
  }
}

/** Makes a plain copy of what other decorators give, as one does that validates with `validateCustomDecorators`. */
class CopyingPipe implements PipeTransform {
  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    return type === 'custom' && typeof value === 'object' ? { ...value } : value;
  }
}

/** A filter, and nothing else around a handler. */
export const Caught = (): MethodDecorator => UseFilters(SuiteFilter);

/** A guard, an interceptor, a pipe and a filter, bound as applications do it. Another pipe is bound to the parameter of each transport. */
export const Surrounded = (): MethodDecorator =>
  applyDecorators(
    UseGuards(SuiteGuard),
    UseInterceptors(SuiteInterceptor),
    UsePipes(CopyingPipe),
    UseFilters(SuiteFilter),
  );
