import { describe, expect, it } from '@jest/globals';
import { Query, Int, ResolveField, Resolver, Subscription } from '@nestjs/graphql';
import { Borrow, BorrowSignal } from '../../../src/index.js';
import { borrowingRig, nextTurn } from '../../support/borrowing/rig.js';
import { Facade } from '../../support/borrowing/services.js';
import { Thing } from '../../support/borrowing/thing.js';
import { GraphqlClient } from '../../support/graphql/client.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { Comment, Topics } from '../../support/graphql/subscriptions-world.js';
import { randomFrom } from '../../support/random.js';
import { until } from '../../support/until.js';

const CLIENTS = 334;
const AT_ONCE = 8;
const TOPIC = 'commented';

let random = randomFrom(1);
const upTo = (most: number): number => Math.floor(random() * (most + 1));
/** As if it asked a server. */
async function work(thing: Thing): Promise<number> {
  for (let turns = upTo(3); turns > 0; turns--) {
    thing.use();
    await nextTurn();
  }
  return thing.use();
}

@Resolver(() => Comment)
class Comments {
  constructor(
    private readonly facade: Facade,
    private readonly topics: Topics,
  ) {}

  @Query(() => Int) async query(): Promise<number> {
    return work(await this.facade.get());
  }
  @ResolveField(() => Int) lentTo(@Borrow('things') thing: Thing): Promise<number> {
    return work(thing);
  }
  @ResolveField(() => Int) async fast(): Promise<number> {
    return work(await this.facade.get());
  }
  @Subscription(() => Comment) plain(): AsyncIterableIterator<unknown> {
    return this.topics.on(TOPIC);
  }
  @Subscription(() => Comment, {
    async filter(this: Comments) {
      return (await work(await this.facade.get())) > 0 && random() < 0.5;
    },
    async resolve(this: Comments) {
      return { id: await work(await this.facade.get()) };
    },
  })
  async filtered(@Borrow('things') thing: Thing): Promise<AsyncIterableIterator<unknown>> {
    await work(thing);
    return this.topics.on(TOPIC);
  }
  @Subscription(() => Comment)
  async *generated(
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ): AsyncIterableIterator<unknown> {
    try {
      while (!signal.aborted) yield { generated: { id: await work(thing) } };
    } finally {
      await work(thing);
    }
  }
}

const OPERATIONS = [
  'subscription { plain { plain: lentTo fast } }',
  'subscription { filtered { lentTo fast } }',
  'subscription { generated { id } }',
  'subscription { filtered { id } }',
  '{ query again: query }',
];

describe.each(GRAPHQL_SERVERS.filter(({ name }) => name !== 'Mercurius with jit'))(
  'clients of $name that vanish at any moment',
  ({ platform, module }) => {
    const rig = borrowingRig(platform, () => ({
      controllers: [],
      imports: [module({ fieldResolverEnhancers: [] })],
      providers: [Comments, Topics],
      pool: { max: 3, acquireTimeout: 20_000 },
    }));

    it(`leave nothing behind, ${CLIENTS} of them`, async () => {
      const seed = Number(process.env.VANISHING_SEED ?? Date.now() % 1_000_000);
      console.log(`VANISHING_SEED=${seed}`);
      random = randomFrom(seed);
      const topics = rig.app.get(Topics);
      const listeners = (): unknown =>
        process.eventNames().map(name => [String(name), process.listenerCount(name)]);
      const before = listeners();
      const over = new AbortController();
      const publishing = (async () => {
        for (let id = 1; !over.signal.aborted; id++) {
          const payload = { plain: { id }, filtered: { id } };
          await topics.publish(TOPIC, payload);
          for (let turns = upTo(4); turns >= 0; turns--) await nextTurn();
        }
      })();

      let left = CLIENTS;
      const come = async (): Promise<void> => {
        while (left-- > 0) {
          const client = new GraphqlClient(rig.url('graphql'));
          const received = Array.from({ length: 1 + upTo(2) }, () =>
            client.subscribe(OPERATIONS[upTo(OPERATIONS.length - 1)]!),
          );
          await client.connected();
          for (let turns = upTo(30); turns > 0; turns--) {
            if (random() < 0.03) received[upTo(received.length - 1)]?.unsubscribe();
            await nextTurn();
          }
          client.lose();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, come));
      await rig.clientsGone();
      await until(
        () => [rig.leased(), rig.waiting(), topics.listening(TOPIC)],
        ([leased, waiting, listening]) => leased === 0 && waiting === 0 && listening === 0,
      );
      over.abort();
      await publishing;
      expect(listeners()).toEqual(before);
      const { totals } = rig.pool.stats();
      expect(totals).toMatchObject({ destroyed: 0, acquired: totals.released });
      // Otherwise nothing was tested.
      expect(totals.acquired).toBeGreaterThan(CLIENTS);
    }, 60_000);
  },
);
