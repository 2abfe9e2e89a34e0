import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers';
import {
  CallerDeadline,
  RequestAbortedError,
  attach,
  attachedTo,
  ofHost,
  type BorrowScope,
  type ScopeHost,
} from '../scope/index.js';
import { endOrphan, untilClosed } from './bodies.js';
import { connectionOf, onceClosed, sayClosed } from './connections.js';
import { Layers } from './layers.js';
import { bodyOnItsWay } from './request-body.js';
import { RequestScope } from './request-scope.js';
import { isUpgraded } from './upgrades.js';
import type { EndUnread } from './watch.js';

/** Where middleware is mounted on a path, that is cut off from `url` while it runs. */
type Mounted = Partial<IncomingMessage> & { readonly originalUrl?: string };

export type Answer = 'value' | 'observable' | 'stream' | 'by hand';

/**
 * The unit of work of one HTTP request, kept with the request. Its response is a hold, dropped at the earliest moment at
 * which nothing of the application can need the resources any more:
 *
 * - a value: when the reply is handed to the platform (`res.end` is called). Not later, as a slow reader must not hold a
 *   database connection.
 * - a stream: likewise, or when its source has closed. The source is a hold of its own.
 * - by hand, with `@Res()`: when the response has finished.
 *
 * When the client leaves before that, the response is no hold any more, but a doubt: what is known to be at work holds
 * the scope as ever (handlers, guards, filters, middleware that has returned a promise, Nest's own way through the
 * request), and beyond that nobody can know. The doubt is cleared by `res.end`, by the end of Nest's way if it is Nest
 * that answers, or by the end of all that was piped into the response. There is none about a stream that Nest sends.
 */
export class HttpScope extends RequestScope {
  private answer: Answer = 'value';
  private clientLeft = false;
  private responseOver: (() => void) | undefined = undefined;
  /** Clears the doubt that there is since the client has left. */
  private clearDoubt: (() => void) | undefined = undefined;
  /** Has Nest given up on its way through this request? `unsure` where interceptors may still be at work on it. */
  private givenUp: 'no' | 'unsure' | 'yes' = 'no';
  private filtered = false;
  /** The bodies whose end is known. */
  private bodies: WeakSet<object> | undefined = undefined;
  /** What the platform has made of Node's request, where it makes something of its own. */
  platformRequest: unknown = undefined;
  /** The platform has been given the answer, and runs hooks for it (`onSend`) before the head is written. */
  isReplied = false;
  /** What runs of the platform for this request. */
  readonly layers = new Layers(this);
  /** It asked for another protocol, and has got it: this is no unit of work any more, but a connection. */
  readonly upgraded: boolean;
  /** Subscriptions that are of no use once the response is over. */
  private audience: Set<() => void> | undefined = undefined;
  /** End the sources of streamed bodies that nobody has read. */
  private endsUnread: EndUnread[] | undefined = undefined;
  private watchesPipes = false;
  /** Streams that are piped into the response and have not closed. */
  private piped = 0;

  constructor(
    host: ScopeHost,
    private incoming: IncomingMessage | undefined,
    private response: ServerResponse | undefined,
    outer?: BorrowScope,
  ) {
    super(host, outer);
    this.upgraded = isUpgraded(incoming);
  }

  /** The scope of a request, made where it has none of this application yet. */
  static enter(host: ScopeHost, request: IncomingMessage, response: ServerResponse): HttpScope {
    const innermost = attachedTo(request);
    const known = ofHost(innermost, host);
    if (known) return known as HttpScope;
    const scope = new HttpScope(host, request, response, innermost);
    if (host.timeLeft) scope.deadline = deadlineOf(request, host.timeLeft);
    attach(request, scope);
    return scope;
  }

  override get request(): unknown {
    return this.platformRequest ?? this.incoming;
  }

  /** Without the query, which may have a secret in it. */
  override toString(): string {
    const { method = '', url = '', originalUrl = url } = (this.incoming ?? {}) as Mounted;
    return `${method} ${originalUrl.split('?', 1)[0] ?? ''}`;
  }

  protected override hindrance(): Promise<void> | undefined {
    const body = this.layers.reached || this.ended ? undefined : bodyOnItsWay(this.incoming, this.response);
    return body?.then(() => {
      if (this.isClientGone()) throw new RequestAbortedError();
    });
  }

  /** Is nobody at work in it, and nothing left to be answered? */
  override get over(): boolean {
    return super.over || (!this.held && this.isAnswered);
  }

  /** Tells how the handler answers, as soon as that is known. The last handler that runs decides. */
  answers(answer: Answer): void {
    // One that answers by hand may return the stream that it has piped into the response.
    if (this.answer === 'by hand' && (answer === 'stream' || answer === 'observable')) return;
    this.answer = answer;
    // Where its client has left while the handler was making it, nobody may ever end the response; its own end is known.
    if (answer === 'stream') this.clearDoubt?.();
    if (answer === 'by hand' && this.responseOver) this.watchPipes();
  }

  /** Is the end of this body known already? From now on it is. */
  knows(body: object): boolean {
    const bodies = (this.bodies ??= new WeakSet());
    if (bodies.has(body)) return true;
    bodies.add(body);
    return false;
  }

  /** The answer is a stream, whoever made it. */
  streams(endUnread: EndUnread): void {
    this.answers('stream');
    this.endsAtReply(endUnread);
  }

  /** A source that nobody has begun to read by then is ended when the reply is complete. */
  endsAtReply(endUnread: EndUnread): void {
    (this.endsUnread ??= []).push(endUnread);
    // Another answer has been given meanwhile: that of an outer `timeout()`.
    if (this.response?.writableEnded) endUnread();
  }

  /** Is it known what will be streamed? */
  get isStreaming(): boolean {
    return this.answer === 'stream';
  }

  /** The source of a streamed body has closed. The rest of it may wait for a slow reader, and needs nothing any more. */
  sourceClosed(): void {
    if (this.answer === 'stream' && this.response?.headersSent) this.responseOver?.();
  }

  override answerNeedsNothing(): void {
    this.responseOver?.();
  }

  /**
   * The handler's Observable is over: completed, failed, or given up, which is what Nest does when the client leaves.
   *
   * @param intercepted are there interceptors, which may be at work with its end, or with what it has emitted?
   */
  observed(how: 'to its end' | 'given up', intercepted: boolean, emitted: boolean): void {
    if (how === 'to its end') {
      if (this.answer === 'observable') this.answer = 'value';
      // When the client leaves, Nest gives up on them as well: the end of its way tells nothing about theirs.
      if (!intercepted) return;
      this.givenUp = 'unsure';
    } else if (this.isClientGone()) {
      const atWork = intercepted && emitted;
      this.givenUp = atWork ? 'unsure' : 'yes';
      if (!atWork) this.clearDoubt?.();
      this.layers.suspect();
      this.loseClient();
    }
  }

  /** An exception filter answers, maybe from callbacks. */
  filters(): void {
    this.filtered = true;
  }

  /** Does Nest answer at the end of its way through this request, so that this end tells something? */
  get isNestToAnswer(): boolean {
    return this.answer !== 'by hand' && !this.filtered && this.givenUp === 'no';
  }

  /** Nest has gone its way through this request, and its own code is done with it. */
  wentItsWay(): void {
    // Nobody waits for hooks when the client has left.
    const areHooksAtWork = this.isReplied && !this.response?.headersSent;
    if (this.isNestToAnswer && !areHooksAtWork) this.clearDoubt?.();
  }

  override hasReplied(): boolean {
    return this.response?.headersSent ?? true;
  }

  get hasLostItsClient(): boolean {
    return this.clientLeft;
  }

  /** Nothing can be sent any more: the response has ended, or its connection is gone. */
  get unanswerable(): boolean {
    return this.isAnswered || this.isClientGone();
  }

  /**
   * Tells, once this scope has something to give back, that the response is over. In a turn of its own: Nest hears of it
   * too, and comes first.
   *
   * @returns forgets it
   */
  whenOver(tell: () => void): () => void {
    const audience = (this.audience ??= new Set());
    audience.add(tell);
    return () => audience.delete(tell);
  }

  protected override open(): void {
    const { incoming, response } = this;
    this.layers.hold();
    if (!incoming || !response || response.writableEnded) {
      this.dismiss();
      return;
    }

    const connection = connectionOf(incoming);
    const drop = this.hold();
    this.responseOver = (): void => {
      forgetConnection();
      this.responseOver = undefined;
      drop();
      this.dismiss();
    };
    const left = (): void => {
      if (!response.writableFinished) this.layers.suspect();
      if (!response.closed && connection) sayClosed(response, connection);
      if (response.writableEnded) this.responseOver?.();
      else this.loseClient();
    };
    // The response of a pipelined request whose turn has not come gets no 'close' of its own.
    const forgetConnection = connection ? onceClosed(connection, left) : () => undefined;
    // Soon after it has finished, or when it never will. Over HTTP/2 one that was reset "finishes" too.
    response.once('close', left);
    // Without a connection that could close there is no 'close'.
    if (!connection) response.once('finish', left);
    // What Nest sends is known, and something may be put around it on its way.
    if (!this.layers.reached || this.answer === 'by hand') this.watchPipes();

    const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
    response.end = ((...args: unknown[]) => {
      const result = end(...args);
      this.clearDoubt?.();
      this.layers.dropWay?.();
      if (this.answer !== 'by hand') this.responseOver?.();
      for (const endUnread of this.endsUnread ?? []) endUnread();
      return result;
    }) as ServerResponse['end'];
    // Gone before the first borrow: nothing tells it again.
    if (this.isClientGone()) left();
  }

  private loseClient(): void {
    if (!this.clientLeft) {
      this.clientLeft = true;
      // Its waiting acquires leave the queue at once. What it has borrowed stays as long as somebody may be at work.
      this.abandon(new RequestAbortedError());
      // Of a stream it is known when its source has closed. Is the response over, there is nothing left to know.
      if (this.answer !== 'stream' && this.responseOver && this.givenUp !== 'yes') {
        this.clearDoubt = this.doubt();
        this.layers.clientLeft();
      }
    }
    this.responseOver?.();
  }

  protected override close(): void {
    // A connection that is kept alive has timers that were set in this scope, and keep it.
    this.incoming = this.platformRequest = this.response = this.endsUnread = undefined;
  }

  private watchPipes(): void {
    if (this.watchesPipes) return;
    this.watchesPipes = true;
    this.response?.on('pipe', (source: Readable) => {
      this.pipes(source);
    });
  }

  /** Something is piped into the response: by hand, in middleware, or by a router that is mounted. */
  private pipes(source: Readable): void {
    if (this.layers.reached && this.answer !== 'by hand') return;
    this.piped++;
    const drop = this.hold();
    untilClosed(source)(this, () => {
      if (--this.piped === 0) this.clearDoubt?.();
      drop();
    });
    this.response?.once('close', () => setImmediate(endOrphan, source));
  }

  private dismiss(): void {
    if (!this.audience?.size) return;
    setImmediate(() => {
      for (const tell of this.audience ?? []) tell();
    });
  }

  private get isAnswered(): boolean {
    return !this.response || this.response.writableEnded;
  }

  private isClientGone(): boolean {
    const { incoming, response } = this;
    return (
      this.clientLeft ||
      response?.destroyed === true ||
      (incoming && connectionOf(incoming)?.destroyed) === true
    );
  }
}

/** It counts from the arrival of the request. */
function deadlineOf(
  request: IncomingMessage,
  timeLeft: NonNullable<ScopeHost['timeLeft']>,
): CallerDeadline | undefined {
  const arrived = performance.now();
  const left = timeLeft(request);
  return left === undefined ? undefined : new CallerDeadline(arrived + Math.max(0, left));
}
