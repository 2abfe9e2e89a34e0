import type { LocalPostgres } from 'local-postgres';
import { setTimeout as pause } from 'node:timers/promises';
import { randomFrom } from '../../support/random.js';
import type { Cut, TcpProxy } from '../../support/tcp-proxy.js';
import type { Observer } from './observer.js';

/** The answer to a COMMIT: CommandComplete and ReadyForQuery, in bytes. */
const COMMITTED = 18;
/** Some answers are longer; they break where they are. */
const ANSWERED = 60;

/** What has been done to the shop's connections. */
export interface Damage {
  /** COMMITs that did not get through, or only in part. */
  commitsCut: number;
  /** COMMITs that were done, and whose answer was lost wholly or in part, or nothing after it was heard. */
  answersLost: number;
  /** Connections that broke at any other message. */
  cuts: number;
  killed: number;
  restarts: number;
}

/** Everything that goes wrong between the shop and its database. */
export class Faults {
  readonly damage: Damage = { commitsCut: 0, answersLost: 0, cuts: 0, killed: 0, restarts: 0 };
  private readonly random: () => number;
  private stopped = false;
  private readonly killing: Promise<void>;
  private restarting: Promise<void> = Promise.resolve();

  constructor(
    private readonly proxy: TcpProxy,
    private readonly postgres: LocalPostgres,
    private readonly observer: Observer,
    seed: number,
  ) {
    this.random = randomFrom(seed);
    proxy.cutting = message => this.cut(message);
    // Other numbers, as it is left to chance which of both is asked first.
    this.killing = this.kill(randomFrom(seed + 1));
  }

  /** All sessions are ended, and the server is away for a moment. */
  restart(): void {
    this.damage.restarts++;
    this.restarting = this.restarting.then(async () => {
      await this.postgres.stop();
      await this.postgres.start();
    });
  }

  /** From now on the world is whole. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.proxy.cutting = () => undefined;
    await this.restarting;
    await this.killing;
  }

  private cut(message: Buffer): Cut | undefined {
    const isCommit = message.includes('commit');
    if (this.random() >= (isCommit ? 0.12 : 0.008)) return undefined;
    const silence = this.random() < 0.5 ? 0 : this.below(80);
    const arrives = this.random() < 0.6;
    if (!isCommit) this.damage.cuts++;
    else if (arrives) this.damage.answersLost++;
    else this.damage.commitsCut++;
    if (!arrives) return { sent: this.below(message.length), silence };
    return { heard: this.below((isCommit ? COMMITTED : ANSWERED) + 1), silence };
  }

  private async kill(random: () => number): Promise<void> {
    while (!this.stopped) {
      await pause(random() * 250);
      const killed = await this.observer.tryTo(
        `select pg_terminate_backend(pid) from
           (select pid from pg_stat_activity where application_name = 'orders' order by pid
            offset $1::float * (select count(*) - 1 from pg_stat_activity where application_name = 'orders') limit 1) one`,
        [random()],
      );
      this.damage.killed += killed?.length ?? 0;
    }
  }

  private below(n: number): number {
    return Math.floor(this.random() * n);
  }
}
