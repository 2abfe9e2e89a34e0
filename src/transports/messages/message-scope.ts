import { setImmediate } from 'node:timers';
import { isObservable, tap } from 'rxjs';
import {
  CallerDeadline,
  RequestAbortedError,
  anyScope,
  currentScope,
  within,
  type BorrowScope,
  type ScopeHost,
} from '../../scope/index.js';
import { nameOf } from '../handlers.js';
import { hostOf } from '../hosts.js';
import { RequestScope } from '../request-scope.js';
import { MessageAudience } from './audience.js';
import { byHand, type ByHand } from './by-hand.js';
import { heldUntilSubscribed, within$ } from './observables.js';
import { deadlineOf, peerOf, type Peer } from './peers.js';
import { requestOfMessage } from './request.js';

/** What Nest keeps about a handler of a microservice; the names are the same in NestJS 11 and 12. */
const HANDLER_TYPE = 'microservices:handler_type';
const EVENT = 2;

/** By the arguments that Nest makes for a message, and hands to its guards, its interceptors and its handler. */
const scopes = new WeakMap<readonly unknown[], MessageScope>();

/** What has failed in this turn of the event loop, and with what; its filter may come yet. */
const failures = new Map<MessageScope, unknown>();

/** A guard has said no: it is Nest that throws. */
const REFUSED = Symbol('refused');

/**
 * The unit of work of one message: over WebSockets, in a microservice, or of whatever else calls handlers by Nest's own
 * means. It begins with the first guard or the handler, and is over when all of these are, filters included, and what they
 * have returned: an Observable when its subscription is over, and an answer by hand (`@Ack()`, `@GrpcStreamCall()`) when it
 * has been given.
 *
 * When the peer leaves, what is queueing for a resource gives up, and an Observable is completed; what is at work stays.
 * Whether an answer by hand is still being worked on nobody can know then: there is a doubt until it has been given.
 */
export class MessageScope extends RequestScope {
  private readonly original: readonly unknown[];
  private readonly peer: Peer | undefined;
  private answer: ByHand | undefined;
  private readonly name: string;
  private forgetPeer: (() => void) | undefined = undefined;
  private dropAnswer: (() => void) | undefined = undefined;
  private clearDoubt: (() => void) | undefined = undefined;
  readonly audience = new MessageAudience(() => this.isUnheard);
  private told = false;

  /** @param args of the message: its own, as they are about to be handed to the handler; some of them are put others in place of */
  constructor(
    host: ScopeHost,
    private readonly type: string,
    private args: unknown[],
    instance: object,
    handler: object,
  ) {
    super(host);
    const key = nameOf(handler, instance);
    this.name = `${instance.constructor.name}.${String(key ?? 'handler')}()`;
    this.original = [...args];
    // Whoever has told of an event does not wait for what comes of it.
    const isEvent = Reflect.getMetadata(HANDLER_TYPE, handler) === EVENT;
    this.peer = isEvent ? undefined : peerOf(type, args);
    this.answer = key === undefined ? undefined : byHand(type, args, instance.constructor, key);
    const left = deadlineOf(type, args);
    if (left !== undefined) this.deadline = new CallerDeadline(left);
    // The messages of a client's stream come in the context of its connection.
    const [first] = args;
    if (type === 'rpc' && isObservable(first)) args[0] = within$(this, first);
  }

  override get request(): unknown {
    return requestOfMessage(this.type, this.args);
  }

  override toString(): string {
    return this.name;
  }

  /** Is the handler itself to answer? */
  get answersByHand(): boolean {
    return this.answer !== undefined;
  }

  /** Nobody is there to be told anything. */
  get isUnheard(): boolean {
    return this.peer?.gone === true || this.host.silenced?.aborted === true;
  }

  override hasReplied(): boolean {
    return this.told;
  }

  /** Something has been sent, or is about to be. */
  tells(): void {
    this.told = true;
  }

  /** Are these the arguments of this message? Filters get a list of their own. */
  isOf(args: readonly unknown[]): boolean {
    const { original, args: own } = this;
    // NestJS 11 tells all others the pattern of a WebSocket's message once more. Who hands a handler nothing at all is a
    // transport of the application's own.
    return (
      (args.length > 0 || original.length === 0) &&
      args.length <= own.length &&
      args.every((arg, i) => arg === own[i] || arg === original[i])
    );
  }

  /** Its guards: held until they have settled, and until whatever follows in the same turn has begun. */
  guarded(activate: () => Promise<boolean>): Promise<boolean> {
    this.enter();
    return within(this, activate).then(
      may => {
        if (may) this.linger();
        else this.fails(REFUSED);
        return may;
      },
      (error: unknown) => {
        this.fails(error);
        throw error;
      },
    );
  }

  /** Held until the message has been answered: until its handler has settled, or the Observable that it returns is over. */
  concludes(answer: () => Promise<unknown>): Promise<unknown> {
    this.enter();
    return within(this, answer).then(
      value => {
        const watched = this.follow(value);
        this.leave();
        return watched;
      },
      (error: unknown) => {
        this.fails(error);
        throw error;
      },
    );
  }

  /** What is returned to Nest, which may subscribe to it. */
  follow(value: unknown): unknown {
    if (!isObservable(value)) return value;
    const failed = (): void => {
      this.enter();
      this.unanswered();
    };
    return heldUntilSubscribed(this, value).pipe(tap({ error: failed }));
  }

  protected override open(): void {
    const { peer, answer } = this;
    if (answer && !answer.given) {
      this.dropAnswer = this.hold();
      answer.onceGiven(() => {
        this.dropAnswer?.();
        this.clearDoubt?.();
      });
    }
    this.host.silenced?.addEventListener('abort', this.dismiss);
    if (peer?.gone) this.losePeer();
    else this.forgetPeer = peer?.onceGone(() => this.losePeer());
  }

  protected override close(): void {
    this.host.silenced?.removeEventListener('abort', this.dismiss);
    this.forgetPeer?.();
    scopes.delete(this.args);
    failures.delete(this);
    this.args = [];
  }

  private losePeer(): void {
    this.abandon(new RequestAbortedError());
    if (this.dropAnswer && this.answer?.given === false) this.clearDoubt = this.doubt();
    this.dropAnswer?.();
    // In a turn of its own: Nest hears of it too, and comes first.
    setImmediate(this.dismiss);
  }

  private readonly dismiss = (): void => {
    this.audience.dismiss();
  };

  private fails(error: unknown): void {
    failures.set(this, error);
    this.unanswered();
  }

  /** Its filter answers what has failed, if anybody does. */
  private unanswered(): void {
    this.answer = undefined;
    this.linger();
  }

  /** Nest goes on to the handler, or to a filter, a few promises later. */
  private linger(): void {
    setImmediate(() => {
      failures.delete(this);
      if (!this.answer) this.dropAnswer?.();
      this.leave();
    });
  }
}

/** The scope of a message, by the arguments that Nest calls its guards, its interceptors and its handler with. */
export function scopeOfMessage(args: readonly unknown[]): MessageScope | undefined {
  return scopes.get(args);
}

/** The scope of what an error is about that a filter is called with. */
export function scopeOfFailure(args: readonly unknown[], error: unknown): MessageScope | undefined {
  for (const [scope, why] of failures) {
    if ((why !== error && why !== REFUSED) || !scope.isOf(args)) continue;
    // Another message may be equal, and fail in the same turn.
    failures.delete(scope);
    return scope;
  }
  const here = anyScope();
  return here instanceof MessageScope && here.isOf(args) ? here : undefined;
}

/**
 * The scope in which a handler is about to be called that belongs to no request, or a guard of it. What other libraries call
 * by Nest's own means joins the scope that it is called in, if there is one.
 */
export function enterMessage(
  type: string,
  args: unknown[],
  instance: object,
  handler: object,
): BorrowScope | undefined {
  if (type === 'http' || type === 'graphql') return undefined;
  const host = hostOf(instance);
  if (!host) return undefined;
  if (type !== 'ws' && type !== 'rpc') {
    const here = currentScope(host);
    if (here && !here.over) return here;
  }
  const scope = new MessageScope(host, type, args, instance, handler);
  scopes.set(args, scope);
  return scope;
}
