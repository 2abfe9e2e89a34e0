import { Observable, isObservable, tap } from 'rxjs';
import { inWholes, type BorrowScope, type TransactionPlan, type WholeTransaction } from '../scope/index.js';
import { isStreamed } from './bodies.js';

/**
 * One call of a handler that wants transactions. They begin when it is called, after guards and interceptors; and they end
 * when its answer is there, after all that interceptors have made of it and before anything of it is sent, so that what is
 * answered is what has happened: committed if all went well, otherwise rolled back, and a failed commit is an error.
 */
export class TransactedCall {
  private readonly joined: WholeTransaction[] = [];
  /** How often it was called and has not settled. */
  private running = 0;
  private latest: Promise<unknown> | undefined = undefined;
  private failure: unknown = undefined;
  /** The answer was made without waiting for the handler: its transactions end when that has settled. */
  private abandoned = false;

  constructor(
    private readonly scope: BorrowScope,
    private readonly plan: TransactionPlan,
    /** Is it sent by other means than its answer (`@Res()`, SSE)? Then the transactions end with the scope. */
    private readonly unseen: boolean,
  ) {}

  /** @param intercept calls the handler that it is given, with all interceptors around it */
  async run(
    intercept: (next: () => Promise<unknown>) => Promise<unknown>,
    next: () => Promise<unknown>,
  ): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await intercept(() => this.handle(next));
    } catch (error) {
      await this.fail(error);
      throw error;
    }
    return isObservable(answer) && !this.unseen ? this.observe(answer) : this.conclude(answer);
  }

  private async handle(next: () => Promise<unknown>): Promise<unknown> {
    const earlier = this.latest;
    const overtaken = this.running > 0;
    this.running++;
    try {
      return await (this.latest = this.attempt(next, earlier, overtaken));
    } catch (error) {
      this.failed(error);
      throw error;
    } finally {
      this.running--;
      if (this.abandoned && this.running === 0) void this.leave();
    }
  }

  /**
   * @param earlier an interceptor (`retry`, `repeat`) has called the handler before
   * @param overtaken and has not waited for it
   */
  private async attempt(
    next: () => Promise<unknown>,
    earlier: Promise<unknown> | undefined,
    overtaken: boolean,
  ): Promise<unknown> {
    await earlier?.catch(() => undefined);
    // What has failed, or was given up, is no part of the answer that this may become.
    if (!this.abandoned && (overtaken || this.failure !== undefined)) {
      await this.leave();
      this.failure = undefined;
    }
    if (this.joined.length === 0) await this.plan(this.scope, transaction => this.join(transaction));
    // Nothing that it did would last.
    if (this.abandoned) throw new Error('Nobody waits for the answer any more');
    const value = await inWholes(this.joined, next);
    return isObservable(value) ? value.pipe(tap({ error: (error: unknown) => this.failed(error) })) : value;
  }

  private join(transaction: WholeTransaction): void {
    this.joined.push(transaction);
    if (this.abandoned) transaction.doom(this.failure);
  }

  /**
   * What it emits last is held back until the commit, as a client may have all that it wants by then. What it emits before that
   * is not: a stream of many values is being sent while its transaction is open.
   */
  private observe(answer: Observable<unknown>): Observable<unknown> {
    return new Observable(subscriber => {
      let last: unknown;
      let isLate = false;
      let over = false;
      const sendLast = (): void => {
        if (isLate) subscriber.next(last);
      };
      const subscription = answer.subscribe({
        next: value => {
          sendLast();
          last = value;
          isLate = true;
        },
        error: (error: unknown) => {
          over = true;
          void this.fail(error).then(() => subscriber.error(error));
        },
        complete: () => {
          over = true;
          this.conclude(last).then(
            () => {
              sendLast();
              subscriber.complete();
            },
            (error: unknown) => subscriber.error(error),
          );
        },
      });
      return () => {
        subscription.unsubscribe();
        if (!over) void this.fail(new Error('its answer was given up'));
      };
    });
  }

  /** @throws what a commit says */
  private async conclude(answer: unknown): Promise<unknown> {
    if (this.failure === undefined && this.running === 0 && (this.unseen || isStreamed(answer)))
      return answer;
    // Others may answer in its place (a `catchError`, a `timeout`); that makes nothing of it a success.
    if (this.failure !== undefined || this.running > 0 || this.scope.hasLeft) {
      await this.fail(this.failure ?? new Error('nobody waits for its answer'));
      return answer;
    }
    this.scope.enter();
    try {
      for (let one = this.joined.shift(); one; one = this.joined.shift()) await this.commit(one);
      return answer;
    } finally {
      this.scope.leave();
    }
  }

  private async commit(transaction: WholeTransaction): Promise<void> {
    try {
      await transaction.leave();
    } catch (error) {
      // Those of other pools that have not been committed yet are not to be.
      await this.fail(error);
      throw error;
    }
  }

  private failed(error: unknown): void {
    this.failure ??= error ?? new Error('failed');
  }

  /** Nothing of it is to last. Nothing is rolled back under a handler that is still at work: what it did next would last. */
  private async fail(error: unknown): Promise<void> {
    this.failed(error);
    for (const transaction of this.joined) transaction.doom(error);
    if (this.running > 0) this.abandoned = true;
    else await this.leave();
  }

  private async leave(): Promise<void> {
    this.scope.enter();
    try {
      for (const transaction of this.joined.splice(0)) {
        transaction.doom(this.failure);
        await transaction.leave().catch(() => undefined);
      }
    } finally {
      this.scope.leave();
    }
  }
}
