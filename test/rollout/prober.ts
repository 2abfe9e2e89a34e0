import { setTimeout as pause } from 'node:timers/promises';
import { Call } from '../support/http-client.js';

/** Asks one address again and again, as a prober does, and keeps the answers. */
export class Prober implements AsyncDisposable {
  /** Statuses in their order; `no answer` when none came within the timeout, or nobody listened. */
  readonly answers: (number | 'no answer')[] = [];
  private readonly leaving = new AbortController();
  private readonly asking: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly every: number,
    private readonly timeout: number,
  ) {
    this.asking = this.ask();
  }

  /** How often an answer was of another kind than the one before. */
  get changes(): number {
    return this.answers.filter((answer, i) => i > 0 && answer !== this.answers[i - 1]).length;
  }

  private async ask(): Promise<void> {
    while (!this.leaving.signal.aborted) {
      const call = new Call(this.url, { signal: AbortSignal.timeout(this.timeout) });
      const answer = await call.answer().then(
        ({ status }) => status,
        () => 'no answer' as const,
      );
      this.answers.push(answer);
      await pause(this.every);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leaving.abort();
    await this.asking;
  }
}
