import { expect } from '@jest/globals';
import type { Lease, Pool } from '../../../src/engine/index.js';
import { getPoolToken } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { forgetLoggers } from '../../support/nest-app.js';
import type { Stage } from '../../support/stage.js';
import { until } from '../../support/until.js';
import { THINGS, newWorld } from './application.js';
import type { Client, Driver, Running } from './driver.js';
import type { Order } from './order.js';
import { Work } from './work.js';

/** Milliseconds until what is to come must be there. */
const SOON = 20_000;

/** One application for all cases of a transport, looked over after each. */
export class SuiteRig {
  private world = newWorld();
  running!: Running;
  private pool: Pool<Thing> | undefined = undefined;
  private readonly clients: Client[] = [];
  private readonly taken: Lease<Thing>[] = [];
  private orders = 0;
  private closed = false;
  /** How many things were lent when the application had started: what stops there goes on then. */
  heldAtStart = 0;
  /** Things that a case means to have destroyed. */
  expectsDestroyed: string[] = [];

  constructor(readonly driver: Driver) {}

  async start(): Promise<void> {
    Thing.startCounting();
    this.running = await this.driver.start(this.world);
    this.pool = this.running.app.get<Pool<Thing>>(getPoolToken('things'));
    this.heldAtStart = this.leased;
    this.stage.reset();
    await this.allBack();
  }

  async stop(): Promise<void> {
    if (!this.closed) await this.close();
    await this.running.dispose?.();
    forgetLoggers();
  }

  begin(): void {
    if (!this.pool) throw new Error('the application did not start');
    Thing.startCounting();
    this.stage.reset();
    this.world.destroyed.length = 0;
    this.expectsDestroyed = [];
  }

  /** Everything is back, nothing was used by two or too late, and nothing was destroyed that should not be. */
  async end(): Promise<void> {
    this.stage.openAll();
    for (const lease of this.taken.splice(0)) lease.release();
    try {
      if (!this.closed) await this.allBack();
      await Promise.all(this.clients.splice(0).map(client => client.close()));
      const { lentTwice, usedTooLate } = Thing;
      expect({ lentTwice, usedTooLate }).toEqual({ lentTwice: 0, usedTooLate: 0 });
      if (!this.closed) {
        expect(this.world.destroyed).toEqual(this.expectsDestroyed);
        expect(this.pool!.stats()).toMatchObject({ leased: 0, waiting: 0 });
      }
    } finally {
      await Promise.all(this.clients.splice(0).map(client => client.close()));
    }
  }

  get stage(): Stage {
    return this.world.stage;
  }

  get ledger(): readonly string[] {
    return this.world.ledger.transactions.map(({ state }) => state);
  }

  get work(): Work {
    return this.running.app.get(Work, { strict: false });
  }

  get destroyed(): readonly string[] {
    return this.world.destroyed;
  }

  order(wish: Omit<Order, 'id'> = {}): Order {
    return { id: `m${++this.orders}`, ...wish };
  }

  async client(): Promise<Client> {
    return this.with(await this.running.connect());
  }

  /** It is closed when the case is over. */
  with<C extends Client>(client: C): C {
    this.clients.push(client);
    return client;
  }

  /** By messages. */
  get leased(): number {
    return this.pool!.stats().leased - this.taken.length;
  }

  get waiting(): number {
    return this.pool!.stats().waiting;
  }

  async allBack(): Promise<void> {
    await until(
      () => this.leased,
      n => n === 0,
      SOON,
    );
  }

  async waitingAre(count: number): Promise<void> {
    await until(
      () => this.waiting,
      n => n === count,
      SOON,
    );
  }

  /** So many have used a thing for this message. */
  async used(order: Order, count: number): Promise<void> {
    await until(
      () => this.work.usesOf(order),
      uses => uses.length >= count,
      SOON,
    );
  }

  /** Which things were used for a message by somebody of this name. */
  thingsOf(order: Order, who: string): readonly string[] {
    const uses = this.work.usesOf(order).map(use => use.split(' '));
    return uses.flatMap(([user, thing]) => (user === who ? [thing!] : [])).sort();
  }

  /** Takes all things, so that messages queue. */
  async takeAll(): Promise<void> {
    for (let i = 0; i < THINGS; i++) this.taken.push(await this.pool!.acquire());
  }

  /** All things but one, so that a message takes it from those that queue for it, if it lets go of it. */
  async leaveOne(): Promise<void> {
    await this.takeAll();
    this.giveOneBack();
  }

  giveOneBack(): void {
    this.taken.pop()!.release();
  }

  /** The application ends while the case goes on. */
  close(): Promise<void> {
    this.closed = true;
    return this.running.close();
  }
}

/** What is due in this turn of the event loop has happened, and in the next. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise(resolve => setImmediate(resolve));
}
