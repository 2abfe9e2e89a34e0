import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { PoolRegistry } from '../../../src/index.js';
import { randomFrom } from '../../support/random.js';
import { until } from '../../support/until.js';
import type { Client, Handler } from './driver.js';
import { DRIVERS } from './drivers/index.js';
import type { Order, Returned } from './order.js';
import { SuiteRig } from './rig.js';

/** So many clients leave, of each transport; so many are there at once, for whom there are two things. */
const CLIENTS = Number(process.env.VANISHING_CLIENTS ?? 1_000);
const CROWD = 6;
const SEED = Number(process.env.VANISHING_SEED ?? Date.now() % 1_000_000);

const HANDLERS: readonly Handler[] = ['bare', 'deep', 'surrounded'];

/** One client after the other, which sends something and is gone before long. */
class Visitor {
  private readonly random: () => number;

  constructor(
    private readonly rig: SuiteRig,
    seed: number,
  ) {
    this.random = randomFrom(seed);
  }

  async visit(): Promise<void> {
    const client = await this.rig.client();
    const orders = Array.from({ length: 1 + this.below(2) }, () => this.send(client));
    await this.moment(orders);
    client.leave();
    // What stops somewhere goes on when its client has gone, or is about to be found gone.
    await this.turns(this.below(4));
    for (const { id, stops = [] } of orders) this.rig.stage.open(...stops.map(place => `${place} ${id}`));
  }

  private send(client: Client): Order {
    const { can } = this.rig.driver;
    const handler = this.oneOf(HANDLERS);
    const returns = can.includes('streams') ? this.oneOf(this.answers()) : undefined;
    const order = this.rig.order({
      uses: ['guard', 'after'],
      ...(returns && { returns }),
      ...(this.below(2) === 0 && { stops: ['handler'] as const }),
      ...(this.below(8) === 0 && { throws: 'handler' as const }),
    });
    client.send(handler, order);
    return order;
  }

  /** An answer without end is for those transports that tell when there is nobody left for it. */
  private answers(): readonly (Returned | undefined)[] {
    const endless = this.rig.driver.can.includes('leaving') ? (['endless', 'endless'] as const) : [];
    return [undefined, undefined, 'two', 'half', 'lazy', ...endless];
  }

  /** At once, some turns later, or when the handler has been reached. */
  private async moment([first]: readonly Order[]): Promise<void> {
    switch (this.below(3)) {
      case 0:
        return;
      case 1:
        await this.turns(this.below(30));
        return;
      default:
        await Promise.race([this.rig.stage.reached(`handler ${first!.id}`), this.turns(60)]);
    }
  }

  private async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private oneOf<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!;
  }
}

describe.each(DRIVERS.filter(({ missing }) => missing === undefined))('over $name', driver => {
  const rig = new SuiteRig(driver);
  beforeAll(() => rig.start(), 30_000);
  afterAll(() => rig.stop(), 30_000);

  it(`${CLIENTS} clients that vanish at a random moment leave nothing behind (VANISHING_SEED=${SEED})`, async () => {
    rig.begin();
    const { silenced, stopping } = rig.running.app.get(PoolRegistry, { strict: false });
    let clients = 0;
    const visits = Array.from({ length: CROWD }, async (_, i) => {
      const visitor = new Visitor(rig, SEED + i);
      while (clients++ < CLIENTS) await visitor.visit();
    });
    await Promise.all(visits);
    await until(
      () => `${rig.leased} leased, ${rig.waiting} waiting`,
      left => left === '0 leased, 0 waiting',
      10_000,
    );
    for (const signal of [silenced, stopping]) expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    // An interceptor that was given up with a value inside of it may be at work with that.
    expect(rig.destroyed.filter(why => why !== 'AbandonedError')).toEqual([]);
    rig.expectsDestroyed = [...rig.destroyed];
    await rig.end();
  }, 120_000);
});
