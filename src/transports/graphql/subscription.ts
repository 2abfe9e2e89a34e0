import { isThenable } from '../../engine/basics/user-code.js';
import { outsideScopes, within, type ScopeHost } from '../../scope/index.js';
import { heldUntilSettled } from '../interceptors.js';
import { execute } from './executions.js';
import { ByContext, type ResolveInfo } from './info.js';
import { peerOf, type Peer } from './peer.js';
import { GraphqlScope } from './scope.js';
import { ExecutionUnit } from './unit.js';

/** What a source has emitted, and the execution of it. */
class SubscriptionEvent extends ExecutionUnit {
  begun = false;

  constructor(
    scope: GraphqlScope,
    readonly payload: unknown,
  ) {
    super(scope);
  }
}

type Step = IteratorResult<unknown>;

/** Those whose events may be executed, by their operation and context value, which several of them may share. */
const subscriptions = new ByContext<Set<Subscription>>();
/** By the execution of their subscribe method. */
const subscribing = new ByContext<Subscription>();
/** Those of a connection, by its request. */
const connected = new WeakMap<object, Set<Subscription>>();

/**
 * One subscription of one client. Its subscribe method has a scope, and so has each event: from the filter on, that sees it
 * first, to the end of its execution. graphql-js pulls one event after the other from the iterator that is subscribed to,
 * and executes it: so the next is pulled when the result of the one before has been sent.
 */
export class Subscription {
  /** That of the subscribe method. */
  readonly scope: GraphqlScope;
  /** What the client calls it, in Mercurius. */
  readonly id: unknown;
  private readonly peer: Peer | undefined;
  private event: SubscriptionEvent | undefined = undefined;
  /** One that a filter has let pass. */
  private passed: SubscriptionEvent | undefined = undefined;
  private isOver = false;

  private constructor(
    private readonly host: ScopeHost,
    private readonly context: unknown,
    private readonly info: ResolveInfo,
  ) {
    this.peer = peerOf(context);
    this.scope = new GraphqlScope(host, `subscription ${info.fieldName}`, this.peer, true);
    this.id = (context as { id?: unknown } | null | undefined)?.id;
  }

  /** Runs a subscribe method in a scope that is held until it has settled, and gives what it gives, watched. */
  static async subscribe(
    host: ScopeHost,
    context: unknown,
    info: ResolveInfo,
    method: () => unknown,
  ): Promise<unknown> {
    const one = new Subscription(host, context, info);
    execute(context, info, one);
    subscribing.set(info.fragments, context, one);
    try {
      const source = await heldUntilSettled(one.scope, async () => method());
      return isAsyncIterable(source) ? one.watch(source) : source;
    } catch (error) {
      one.over();
      throw error;
    }
  }

  /** The one whose subscribe method, or filter, is called with this. */
  static by(context: unknown, info: ResolveInfo): Subscription | undefined {
    return subscribing.get(info.fragments, context);
  }

  /**
   * An event is about to be executed: whose is it? The same payload goes to many, and where those have one context value
   * and one document too, nothing tells them apart. Then it is nobody's: the scope of another may be another client's.
   */
  static begin(context: unknown, info: ResolveInfo): void {
    const all = [...(subscriptions.get(info.operation, context) ?? [])];
    const [event, another] = all.flatMap(({ event: one }) =>
      one && !one.begun && Object.is(one.payload, info.rootValue) ? one : [],
    );
    if (!event || another) return;
    event.begun = true;
    execute(context, info, event);
  }

  /** The execution of an event is over, and its result is about to be sent, which takes as long as the client likes. */
  static executed(context: unknown, operations: readonly object[]): void {
    only(operations.flatMap(operation => [...(subscriptions.get(operation, context) ?? [])]))?.executed();
  }

  /** As {@link executed}, by the request of the connection and by what the client calls the subscription. */
  static executedFor(request: object, id: unknown): void {
    only([...(connected.get(request) ?? [])].filter(one => one.id === id))?.executed();
  }

  /** Runs a filter in the scope of its event, which is over when it does not pass. */
  filter(payload: unknown, filter: () => unknown): unknown {
    this.passed?.over();
    this.passed = undefined;
    const event = this.newEvent(payload);
    const settle = (passes: unknown): unknown => {
      if (passes === true && !this.isOver) this.passed = event;
      else event.over();
      return passes;
    };
    const fail = (error: unknown): never => {
      event.scope.fail(error);
      event.over();
      throw error;
    };
    let passes: unknown;
    try {
      passes = within(event.scope, filter);
    } catch (error) {
      return fail(error);
    }
    return isThenable(passes) ? Promise.resolve(passes).then(settle, fail) : settle(passes);
  }

  private watch(source: AsyncIterable<unknown>): AsyncIterable<unknown> {
    this.join();
    return {
      [Symbol.asyncIterator]: () => this.iterate(outsideScopes(() => source[Symbol.asyncIterator]())),
    };
  }

  /** What pulls, and what emits, belongs to no unit of work: an iterator that borrows would do so for as long as it waits. */
  private iterate(source: AsyncIterator<unknown>): AsyncIterableIterator<unknown> {
    const done = async (): Promise<Step> => ({ done: true, value: undefined });
    const leave = (end: (() => Promise<Step>) | undefined): Promise<Step> => {
      this.over();
      return end ? outsideScopes(end) : done();
    };
    const iterator: AsyncIterableIterator<unknown> = {
      next: () => {
        this.event?.over();
        // Not every iterator can be ended, and whoever has ended one does not want more of it.
        return this.isOver ? done() : this.pull(source);
      },
      return: value => leave(source.return && (() => source.return!(value))),
      [Symbol.asyncIterator]: () => iterator,
    };
    // Where there is none, graphql-js ends it in another way.
    if (source.throw) iterator.throw = error => leave(() => source.throw!(error));
    return iterator;
  }

  private async pull(source: AsyncIterator<unknown>): Promise<Step> {
    try {
      const step = await outsideScopes(() => source.next());
      if (step.done) this.over();
      else this.arrive(step.value);
      return step;
    } catch (error) {
      this.over();
      throw error;
    }
  }

  private arrive(payload: unknown): void {
    const { passed } = this;
    this.passed = undefined;
    const seen = passed && Object.is(passed.payload, payload);
    if (passed && !seen) passed.over();
    this.event = seen ? passed : this.newEvent(payload);
    if (this.isOver) this.event.unwatched();
  }

  private newEvent(payload: unknown): SubscriptionEvent {
    return new SubscriptionEvent(
      new GraphqlScope(this.host, `event ${this.info.fieldName}`, this.peer),
      payload,
    );
  }

  private executed(): void {
    if (this.event?.begun) this.event.over();
  }

  private join(): void {
    const { operation } = this.info;
    const all = subscriptions.get(operation, this.context) ?? new Set();
    subscriptions.set(operation, this.context, all.add(this));
    const request = this.peer?.request as object | undefined;
    if (request) connected.set(request, (connected.get(request) ?? new Set()).add(this));
  }

  /** Its source has ended, or nobody wants more of it. What runs for its last event holds that event's scope itself. */
  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    subscriptions.get(this.info.operation, this.context)?.delete(this);
    if (this.peer) connected.get(this.peer.request as object)?.delete(this);
    this.scope.unsubscribed();
    this.event?.unwatched();
    this.passed?.over();
  }
}

function only<T>(all: readonly T[]): T | undefined {
  return all.length === 1 ? all[0] : undefined;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator] === 'function';
}
