import { getEventListeners } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import type { LocalPostgres } from 'local-postgres';
import type { PoolStats } from '../../src/engine/index.js';
import { forgetLoggers, type Platform } from '../support/nest-app.js';
import { PostgresWatch } from '../support/postgres.js';
import { randomFrom } from '../support/random.js';
import { until } from '../support/until.js';
import { stormApp, type StormApp } from './app.js';
import { StormClient } from './client.js';
import type { Guest } from './guest.js';
import { Killer } from './killer.js';
import { unexpected } from './log-check.js';
import { REFUSES_OVERLAPS } from './money/overlaps.js';
import { plan } from './plan.js';
import { Tally } from './tally.js';

/** So many requests are under way at the same time. */
const CROWD = 48;
/** Milliseconds in which nobody gets any further, after which the storm is stuck. */
const STUCK = 20_000;

export interface StormOptions {
  readonly requests: number;
  readonly seed: number;
}

/** A round, after everything has come to rest. */
export interface RoundResult {
  readonly tally: Tally;
  readonly seconds: number;
  readonly killed: number;
  readonly backends: number;
  readonly stats: PoolStats;
  /** In this round. */
  readonly acquired: number;
  readonly released: number;
  readonly aborted: number;
  /** Connections, by why they were. */
  readonly destroyed: ReadonlyMap<string, number>;
  /** By what they came to. */
  readonly transfers: ReadonlyMap<string, number>;
  /** Statements of transfers that were not sent, since they would have mixed two transactions, or came too late. */
  readonly refusals: number;
  /** Statements that came when the connection had gone back, and how many of them were not let through. */
  readonly careless: number;
  readonly refused: number;
  /** Of the process, the server and the application's own signal. */
  readonly listeners: number;
  /** What is not as it must be. */
  readonly findings: string[];
}

/** An application, and rounds of requests that do everything to it that clients, servers and handlers can. */
export class Storm implements AsyncDisposable {
  private nextId = 1;

  private constructor(
    private readonly watch: PostgresWatch,
    private readonly app: StormApp,
  ) {}

  static async over(platform: Platform, postgres: LocalPostgres): Promise<Storm> {
    const watch = await PostgresWatch.open(postgres);
    await watch.sql('create table if not exists entries (guest int)');
    await watch.sql('create table if not exists failures (guest int)');
    await watch.sql('truncate entries, failures');
    return new Storm(watch, await stormApp(platform, watch));
  }

  /** @throws when it gets stuck */
  async round({ requests, seed }: StormOptions): Promise<RoundResult> {
    const { app, watch } = this;
    const began = performance.now();
    const before = app.pool.stats().totals;
    const tally = new Tally(app.wrongs);

    const killer = new Killer(watch, randomFrom(seed + 1));
    let killed: number;
    try {
      await this.send(plan(requests, seed, this.nextId), tally);
    } finally {
      killed = await killer.stop();
    }
    this.nextId += tally.sent;
    const seconds = (performance.now() - began) / 1000;

    await this.rest();
    const backends = await this.checkBackends();
    await this.checkEntries(tally);
    const { counts: transfers, refusals } = app.bank;
    await app.bank.audit(watch, tally.paid, app.wrongs);
    app.custody.abandonments.check(tally.whole);
    const { destroyed, careless, refused } = app.custody.takeCounts();
    this.checkDestroyed(destroyed, killed);
    this.checkVariety(tally, killed, careless, refusals);
    for (const line of unexpected(app.log.lines)) app.wrongs.add('in the log', line);
    app.custody.checkListeners();
    app.clients.check();
    app.log.lines.length = 0;
    app.book.clear();

    const stats = app.pool.stats();
    const { totals } = stats;
    return {
      tally,
      seconds,
      killed,
      backends,
      stats,
      acquired: totals.acquired - before.acquired,
      released: totals.released - before.released,
      aborted: totals.aborted - before.aborted,
      destroyed,
      transfers,
      refusals,
      careless,
      refused,
      listeners: this.listeners(),
      findings: app.wrongs.take(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.app[Symbol.dispose]();
    await this.app.app.close();
    await this.watch.untilBackends(0);
    await this.watch[Symbol.asyncDispose]();
    forgetLoggers();
  }

  private async send(parties: ReturnType<typeof plan>, tally: Tally): Promise<void> {
    const { book, url, rpc } = this.app;
    const { port } = rpc.address() as AddressInfo;
    using client = new StormClient({ url, rpcPort: port }, tally);
    const underWay = new Set<Guest>();
    let stuck: (why: Error) => void;
    const broken = new Promise<never>((_, reject) => (stuck = reject));
    const guard = setInterval(() => stuck(this.stuck(underWay)), STUCK);
    const next = parties.values();
    const come = async (): Promise<void> => {
      for (const party of next) {
        const guests = party.map(visit => book.register(visit));
        for (const guest of guests) underWay.add(guest);
        await client.visit(guests);
        for (const guest of guests) underWay.delete(guest);
        guard.refresh();
      }
    };
    try {
      await Promise.race([broken, Promise.all(Array.from({ length: CROWD }, come))]);
    } finally {
      clearInterval(guard);
    }
  }

  private stuck(underWay: Iterable<Guest>): Error {
    const { leased, waiting, idle, total } = this.app.pool.stats();
    const who = [...underWay].map(guest => `  ${guest.toString()}`).join('\n');
    return new Error(
      `Nobody has been answered for ${STUCK} ms; the pool has ${leased} leased, ${idle} idle of ${total}, ` +
        `${waiting} waiting. Under way:\n${who}`,
    );
  }

  /** Waits until all handlers are done, all connections of clients closed, and every lease is back. */
  private async rest(): Promise<void> {
    const { app, pool, tenants, rpc } = this.app;
    for (const server of [app.getHttpServer() as Server, rpc]) {
      await until(
        () => connectionsOf(server),
        count => count === 0,
      );
    }
    await until(
      () => pool.stats(),
      ({ total, idle, waiting, totals }) =>
        total === idle && waiting === 0 && totals.acquired === totals.released,
    ).catch((error: unknown) => {
      const who = this.app.custody.holders.join('\n  ');
      throw new Error(`What is lent does not come back:\n  ${who}`, { cause: error });
    });
    await until(
      () => tenants.stats(),
      ({ total, idle, waiting, totals }) =>
        total === idle && waiting === 0 && totals.acquired === totals.released,
    );
  }

  /** Each backend that was killed explains one connection, and clients that have left explain others. */
  private checkDestroyed(destroyed: ReadonlyMap<string, number>, killed: number): void {
    let broken = 0;
    for (const [why, count] of destroyed) {
      if (['invalid', 'fatal', 'reset-failed'].includes(why)) broken += count;
      else if (why !== 'abandoned' && why !== 'idle')
        this.app.wrongs.add(`destroyed, as ${why}`, String(count));
    }
    // Before pg could tell whose error it is, one that broke took all with it that its request had.
    if (REFUSES_OVERLAPS && broken > killed)
      this.app.wrongs.add('broken without having been killed', `${broken} for ${killed}`);
  }

  /** A round that has not stormed says nothing. */
  private checkVariety(tally: Tally, killed: number, careless: number, refusals: number): void {
    const { wrongs } = this.app;
    tally.checkVariety();
    if (killed === 0) wrongs.add('no backend was killed');
    if (careless === 0) wrongs.add('no statement came too late');
    if (REFUSES_OVERLAPS && refusals === 0) wrongs.add('no transaction was refused');
  }

  /** The server must have as many sessions as the pool believes, and none in a transaction. */
  private async checkBackends(): Promise<number> {
    const { app, watch } = this;
    const [backends] = await until(
      async () => [(await watch.backends()).length, app.pool.stats().total, app.custody.open] as const,
      ([there, total, open]) => there === total && open === total && app.pool.stats().idle === total,
    );
    const open = (await watch.backends()).filter(({ state }) => state.includes('in transaction'));
    for (const { query } of open) app.wrongs.add('a session is left in a transaction', query);
    return backends;
  }

  /** What was confirmed is there, and what has failed is not. */
  private async checkEntries({ confirmed, failed }: Tally): Promise<void> {
    const [row] = await this.watch.sql<{ kept: number; halves: number }>(
      `select count(*) filter (where guest = any($1))::int as kept,
              count(*) filter (where guest = any($2))::int as halves from entries`,
      [confirmed, failed],
    );
    if (row!.kept !== confirmed.length) {
      this.app.wrongs.add('confirmed transactions are lost', `${row!.kept} of ${confirmed.length} are there`);
    }
    if (row!.halves > 0)
      this.app.wrongs.add('transactions that failed are in the database', `${row!.halves}`);
  }

  private listeners(): number {
    const { app, registry, rpc } = this.app;
    return (
      count(process) +
      count(app.getHttpServer() as Server) +
      count(rpc) +
      getEventListeners(registry.stopping, 'abort').length
    );
  }
}

function count(emitter: NodeJS.EventEmitter): number {
  return emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);
}

function connectionsOf(server: TcpServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, connections) => {
      if (error) reject(error);
      else resolve(connections);
    });
  });
}
