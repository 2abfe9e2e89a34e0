import type { PostgresWatch } from '../support/postgres.js';

/** Terminates one backend after the other, whatever it is doing, until it is told to stop. */
export class Killer {
  killed = 0;
  private stopped = false;
  private readonly work: Promise<void>;

  /** @param pause at most so many milliseconds from one to the next */
  constructor(
    private readonly watch: PostgresWatch,
    private readonly random: () => number,
    private readonly pause = 40,
  ) {
    this.work = this.kill();
  }

  async stop(): Promise<number> {
    this.stopped = true;
    await this.work;
    return this.killed;
  }

  private async kill(): Promise<void> {
    while (!this.stopped) {
      const backends = await this.watch.backends();
      const victim = backends[Math.floor(this.random() * backends.length)];
      if (victim) {
        await this.watch.terminate(victim.pid);
        this.killed++;
      }
      await new Promise(resolve => setTimeout(resolve, this.random() * this.pause));
    }
  }
}
