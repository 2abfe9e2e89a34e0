import { expect } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { Call } from '../support/http-client.js';

/** Ask each of some addresses again and again, past haproxy, and keep the answers. */
export class Probers implements AsyncDisposable {
  private readonly answers = new Map<string, string[]>();
  private left = false;
  private readonly asking: Promise<void>[];

  /** @param every and timeout: milliseconds between an answer and the next probe, and until an answer is none */
  constructor(
    urls: readonly string[],
    private readonly every: number,
    private readonly timeout: number,
  ) {
    this.asking = urls.map(url => {
      const answers: string[] = [];
      this.answers.set(url, answers);
      return this.ask(url, answers);
    });
  }

  /** Each address has been asked so often, and has never answered anything else. */
  expectOnly200(atLeast: number): void {
    for (const [url, answers] of this.answers) {
      expect({ url, wrong: answers.filter(answer => answer !== '200') }).toEqual({ url, wrong: [] });
      expect(answers.length).toBeGreaterThanOrEqual(atLeast);
    }
  }

  private async ask(url: string, answers: string[]): Promise<void> {
    while (!this.left) {
      const call = new Call(url, { signal: AbortSignal.timeout(this.timeout) });
      const answer = await call.answer().then(
        ({ status }) => String(status),
        (error: unknown) => `no answer: ${String(error)}`,
      );
      answers.push(answer);
      await pause(this.every);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.left = true;
    await Promise.all(this.asking);
  }
}
