import { LONGEST_TIMER, startTimer, type Timer } from '../engine/time/timer.js';
import type { BorrowScope } from './borrow-scope.js';
import { AbandonedError } from './errors.js';
import type { ScopeHost } from './host.js';

const ABANDONED_TIMEOUT = 1_000;

/**
 * How long one unit of work lasts.
 *
 * A scope counts holds: the handler that is running, the reply that is not yet handed over, the body that is being
 * streamed. When the last one drops it ends, once. Before anything is borrowed there is nothing to end: it is opened, and
 * listens to whatever ends it, on its first borrow.
 *
 * Where nobody can know whether work goes on (all that is known is that the client has gone), there is a doubt. A scope
 * that is left with nothing but doubts gives nothing back: it waits for them to be cleared, and if they are not, it has
 * what it borrowed destroyed.
 */
export abstract class HeldScope {
  private holds = 0;
  private doubts = 0;
  /** Runs while there is nothing left but doubts. */
  private patience: Timer | undefined = undefined;
  /** The application has said itself what the scope has to wait for. */
  private vouched = false;
  private opened = false;
  /** Everything has been given back. */
  ended = false;

  /** @param outer the scope of another application that this one lies within, and holds as long as it is held itself */
  constructor(
    readonly host: ScopeHost,
    readonly outer?: BorrowScope,
  ) {}

  /** Can nobody join it any more? One that is over and has never borrowed anything has not ended, as it never began. */
  get over(): boolean {
    return this.ended;
  }

  /** Is anything known to be at work in it? */
  get held(): boolean {
    return this.holds > 0;
  }

  /** Has nothing been borrowed in it so far? */
  get unused(): boolean {
    return !this.opened;
  }

  /** Keeps the scope from ending until the returned function is called; calling it again does nothing. */
  hold(): () => void {
    this.enter();
    return once(() => {
      this.leave();
    });
  }

  /** As {@link hold}, until {@link leave} is called, exactly once. */
  enter(): void {
    this.holds++;
    this.outer?.enter();
  }

  leave(): void {
    this.holds--;
    this.endWhenIdle();
    this.outer?.leave();
  }

  /** As {@link hold}, by the application: where it says what there is to wait for, no doubt is left about the rest. */
  vouch(): () => void {
    this.vouched = true;
    return this.hold();
  }

  /**
   * Work may go on that nobody can watch. When that is all that is left of the scope, what it has borrowed is not given
   * back but kept, until the returned function clears the doubt; after `abandonedTimeout` of the host it is destroyed.
   */
  doubt(): () => void {
    this.doubts++;
    return once(() => {
      this.doubts--;
      this.endWhenIdle();
    });
  }

  /** What a scope is called where it holds and waits, in a deadlock. */
  toString(): string {
    return 'a borrow scope';
  }

  /** Before anything is borrowed. */
  protected awaken(): void {
    if (this.opened) return;
    this.opened = true;
    this.open();
    this.endWhenIdle();
  }

  /** Called before the first borrow: takes the holds that only matter to a scope that has something to give back. */
  protected open(): void {
    // A plain scope is held by whoever runs it.
  }

  /** Called when what was borrowed is to be destroyed, as nobody has cleared a doubt. */
  protected abandoned(_error: AbandonedError): void {
    // A plain scope has none.
  }

  /** Called at its end, when everything has been given back: lets go of what the scope itself was holding on to. */
  protected close(): void {
    // A plain scope holds on to nothing.
  }

  /** Is there anything that a doubt could be about? */
  protected abstract get hasBorrowed(): boolean;

  /**
   * Called at its end: all that was borrowed goes back, and nothing is lent any more.
   *
   * @param abandoned why it is to be destroyed, if it is
   */
  protected abstract giveBack(abandoned: AbandonedError | undefined): void;

  private endWhenIdle(): void {
    if (this.holds > 0 || !this.opened || this.ended) return;
    if (this.doubts > 0 && !this.vouched && this.hasBorrowed) {
      this.patience ??= this.beginToLosePatience();
      return;
    }
    this.end();
  }

  private beginToLosePatience(): Timer | undefined {
    const { abandonedTimeout = ABANDONED_TIMEOUT } = this.host;
    if (abandonedTimeout > LONGEST_TIMER) return undefined;
    const timer = startTimer(() => {
      this.patience = undefined;
      if (this.holds === 0 && this.doubts > 0) this.end(new AbandonedError(String(this), abandonedTimeout));
    }, abandonedTimeout);
    timer.unref();
    return timer;
  }

  private end(abandoned?: AbandonedError): void {
    if (this.ended) return;
    this.ended = true;
    this.patience?.cancel();
    if (abandoned) this.abandoned(abandoned);
    this.giveBack(abandoned);
    this.close();
  }
}

/** Of a function that is called twice, the second call does nothing. */
function once(call: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    call();
  };
}
