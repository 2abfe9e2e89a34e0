import { setImmediate } from 'node:timers';
import type { Audience } from '../subscription.js';

/** What is to be told when nobody is there any more for the answer of a message. */
type Told = Set<() => void>;

/**
 * Those who are of no use once the peer of a message has left. What a handler emits is ended, and nothing else of it: an
 * interceptor that has its value may be about to commit. But what it adds to the emissions of a handler (a heartbeat)
 * may go on for ever, so when these were ended, its answer is too, in a turn of its own.
 */
export class MessageAudience {
  private readonly streams: Told = new Set();
  private readonly answers: Told = new Set();
  private readonly waiting: Told = new Set();
  /** Of what the handler emits. */
  readonly ofHandler: Audience;
  /** Of what Nest is given. */
  readonly ofAnswer: Audience;

  constructor(isGone: () => boolean) {
    const endAnswers = this.endAnswers;
    this.ofHandler = {
      get unanswerable() {
        const gone = isGone();
        if (gone) setImmediate(endAnswers);
        return gone;
      },
      whenOver: tell => joined(this.streams, tell),
    };
    this.ofAnswer = {
      get unanswerable() {
        return isGone();
      },
      whenOver: tell => joined(this.answers, tell),
    };
  }

  /** Tells as soon as the peer has left. */
  whenGone(tell: () => void): () => void {
    return joined(this.waiting, tell);
  }

  dismiss(): void {
    for (const tell of this.waiting) tell();
    const hadStreams = this.streams.size > 0;
    for (const tell of this.streams) tell();
    if (hadStreams) setImmediate(this.endAnswers);
  }

  private readonly endAnswers = (): void => {
    for (const tell of this.answers) tell();
  };
}

/** @returns forgets it */
function joined(told: Told, tell: () => void): () => void {
  told.add(tell);
  return () => told.delete(tell);
}
