import type { NestExpressApplication } from '@nestjs/platform-express';
import type { LocalPostgres } from 'local-postgres';
import { getPoolToken, type Pool, type PoolStats } from 'nestjs-pool';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { drawBalance } from './balance.js';
import { Crowd } from './crowd.js';
import { ReadinessProbe } from './readiness-probe.js';
import type { Report } from './report.js';
import type { ServerWatch } from './server-watch.js';
import { ShopClient } from './shop-client.js';
import { until } from './until.js';
import type { WatchedDatabase } from './watched-database.js';

interface Stage {
  app: NestExpressApplication;
  url: string;
  postgres: LocalPostgres;
  database: WatchedDatabase;
  server: ServerWatch;
  report: Report;
}

/** The acts of the demonstration: a crowd, and what happens to its database meanwhile. */
export class Demonstration {
  private readonly shop: ShopClient;
  private readonly pool: Pool<Client>;

  constructor(private readonly stage: Stage) {
    this.shop = new ShopClient(stage.url);
    this.pool = stage.app.get<Pool<Client>>(getPoolToken('orders-db'));
  }

  async run(): Promise<void> {
    await this.acts();
    this.stage.report.title('Everybody has left: the balance');
    await drawBalance(this.stage.report, { ...this.stage, pool: this.pool, shop: this.shop });
    await this.closingTime();
    this.advise();
  }

  /** What somebody could change, who looks at the pool after such a day. */
  private advise(): void {
    const { report } = this.stage;
    const advice = this.pool.advice();
    report.title(`What the pool has to say:${advice.length === 0 ? ' nothing' : ''}`);
    for (const { rule, text } of advice) report.line(rule, text);
  }

  /** As long as the shop recovers from one, there is a next one. */
  private async acts(): Promise<boolean> {
    return (
      (await this.act('A crowd in the shop: more people than connections', 'calm', () => pause(2_000))) &&
      (await this.act('Every connection is killed under their hands', 'faults', () => this.killings())) &&
      (await this.act('As if nothing had happened', 'calm', () => pause(800))) &&
      (await this.act('The database server is stopped, and started again', 'faults', () => this.outage())) &&
      (await this.act('As if nothing had happened', 'calm', () => pause(800)))
    );
  }

  private async killings(): Promise<void> {
    await pause(500);
    const killed = await this.stage.server.killAll();
    this.stage.report.line('!', `pg_terminate_backend: ${killed} connections`);
    await pause(700);
  }

  private async outage(): Promise<void> {
    const { postgres, database, report } = this.stage;
    await pause(500);
    database.wasDown = true;
    await postgres.stop();
    report.line('!', 'the server is stopped');
    await pause(1_200);
    await postgres.start();
    report.line('!', 'the server runs again');
    await pause(500);
  }

  /**
   * In calm times every answer has to be the right one; after faults the shop has to become ready by itself.
   *
   * @returns whether it is ready in the end
   */
  private async act(
    title: string,
    times: 'calm' | 'faults',
    happening: () => Promise<void>,
  ): Promise<boolean> {
    const { report } = this.stage;
    report.title(title);
    const before = { ...this.counts(), pool: this.pool.stats() };
    const probe = new ReadinessProbe(this.shop);
    const crowd = new Crowd(this.shop);
    await happening();
    const ready = await until(() => this.shop.isReady());
    await crowd.leave();
    const readiness = await probe.stop();

    for (const [kind, outcomes] of crowd.tally.lines()) report.line(kind, outcomes);
    this.describePool(before);
    report.line('readiness', readiness);
    report.check(
      crowd.unanswered === 0,
      `${crowd.unanswered} requests got no answer, and no end, within 10 s`,
    );
    report.check(ready, 'the shop did not recover: it is still not ready, 10 s later');
    report.check(
      times === 'faults' || crowd.failures.size === 0,
      `there was no reason for this: ${[...crowd.failures].join('; ')}`,
    );
    return ready;
  }

  /** Stops the application as a rolling update does: people go elsewhere as soon as it says that it is not ready. */
  private async closingTime(): Promise<void> {
    const { app, report, server } = this.stage;
    report.title('Closing time, with a crowd in the shop');
    const probe = new ReadinessProbe(this.shop);
    const crowd = new Crowd(this.shop);
    await pause(300);
    // What Nest does on the signal; the interface of close() does not tell that it takes one.
    const closed = (app as { close(signal: string): Promise<void> }).close('SIGTERM');
    await until(async () => !(await this.shop.isReady()));
    const readiness = await probe.stop();
    await crowd.leave();
    await closed;

    for (const [kind, outcomes] of crowd.tally.lines()) report.line(kind, outcomes);
    report.line('readiness', readiness);
    const there = [...(await server.connections()).values()].reduce((sum, number) => sum + number, 0);
    report.line('connections', `${there} open at the server`);
    report.check(
      crowd.failures.size === 0,
      `the stop has failed requests: ${[...crowd.failures].join('; ')}`,
    );
    report.check(there === 0, `${there} connections are still open at the server after the end`);
  }

  private counts(): { created: number; createFailed: number; destroyed: Map<string, number> } {
    const { created, createFailed, destroyed } = this.stage.database;
    return { created, createFailed, destroyed: new Map(destroyed) };
  }

  private describePool(before: ReturnType<Demonstration['counts']> & { pool: PoolStats }): void {
    const { report } = this.stage;
    const now = this.counts();
    const { totals, max } = this.pool.stats();
    const since = (key: 'acquired' | 'waited' | 'timedOut' | 'refused' | 'aborted'): string =>
      (totals[key] - before.pool.totals[key]).toLocaleString('en');
    report.line(
      'borrows',
      `${since('acquired')}; ${since('waited')} had to wait for one of ${max} connections, ` +
        `${since('timedOut')} in vain; ${since('refused')} were refused, ${since('aborted')} given up by the client`,
    );
    const destroyed = [...now.destroyed]
      .map(([reason, number]) => [reason, number - (before.destroyed.get(reason) ?? 0)] as const)
      .filter(([, number]) => number > 0)
      .map(([reason, number]) => `${number} ${reason}`);
    report.line(
      'connections',
      `${now.created - before.created} opened, ${now.createFailed - before.createFailed} failed to open, ` +
        `destroyed: ${destroyed.join(', ') || 'none'}`,
    );
  }
}
