import { afterEach, beforeEach, describe, expect, it, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { KeyedPool, Pool } from '../../src/engine/index.js';
import { instrumentPools, otel } from '../../src/otel/index.js';
import { asAny } from '../../src/otel/options.js';
import { collectPools } from '../../src/prometheus/index.js';
import { forgetLoggers } from '../support/nest-app.js';
import { eventsOf, next, serveDashboard, things } from './dashboard/world.js';
import { Metrics, forgetGlobals } from './otel/sdk.js';
import { Exposition } from './prometheus/exposition.js';

const ends: (() => unknown)[] = [];
let warnings: jest.SpiedFunction<typeof process.emitWarning>;

beforeEach(() => {
  warnings = jest.spyOn(process, 'emitWarning').mockReturnValue();
});
afterEach(async () => {
  warnings.mockRestore();
  for (const end of ends.splice(0)) await end();
  forgetGlobals();
  forgetLoggers();
});

type Member = 'stats' | 'histograms' | 'resources' | 'holders' | 'waiters' | 'capacity';

/** From now on one of its members throws. */
function breaks(pool: object, member: Member): void {
  Object.defineProperty(pool, member, {
    configurable: true,
    get: () => {
      throw new Error(`its ${member} are broken`);
    },
  });
}

function mends(pool: object, member: Member): void {
  Reflect.deleteProperty(pool, member);
}

const poolOf = (name: string): Pool<object> => new Pool({ name, create: () => ({}) });
const keyedOf = (name: string): KeyedPool<string, object> =>
  new KeyedPool<string, object>({ name, maxTotal: 5, create: () => ({}) });

function toldOnce(pool: string, who: string, what: string): void {
  expect(warnings.mock.calls.map(([message]) => message)).toEqual([
    `Pool "${pool}" could not be read for ${who}: ${what}. It is left out as long as that is so; this is told once.`,
  ]);
}

describe('a scrape of Prometheus', () => {
  it.each<[Member, (name: string) => Pool<object> | KeyedPool<string, object>]>([
    ['stats', poolOf],
    ['histograms', poolOf],
    ['capacity', poolOf],
    ['stats', keyedOf],
    ['histograms', keyedOf],
  ])('tells of the others when the %s of a pool throw, and says so once', async (member, make) => {
    const pools = [make('broken'), poolOf('well')];
    const registry = new Registry();
    ends.push(collectPools({ pools, registry }), ...pools.map(pool => () => pool.close()));
    breaks(pools[0]!, member);
    for (let scrape = 0; scrape < 3; scrape++) {
      const seen = new Exposition(await registry.metrics());
      expect(seen.value('nestjs_pool_limit', { pool: 'well' })).toBe(10);
      expect(await registry.metrics()).not.toContain('broken');
    }
    toldOnce('broken', 'Prometheus', `its ${member} are broken`);
    mends(pools[0]!, member);
    expect(await registry.metrics()).toContain('pool="broken"');
  });

  it('tells what it can of a pool whose counts are not all there', async () => {
    const pools = [poolOf('older'), poolOf('well')];
    const registry = new Registry();
    ends.push(collectPools({ pools, registry }), ...pools.map(pool => () => pool.close()));
    const { totals: _, ...stats } = pools[0]!.stats();
    Object.defineProperty(pools[0], 'stats', { value: () => stats });
    const seen = new Exposition(await registry.metrics());
    expect(seen.value('nestjs_pool_limit', { pool: 'older' })).toBe(10);
    expect(seen.value('nestjs_pool_acquires_total', { pool: 'well' })).toBe(0);
    expect(warnings).toHaveBeenCalledTimes(1);
  });
});

describe('a collection of OpenTelemetry', () => {
  it.each([
    ['a pool', poolOf],
    ['a keyed pool', keyedOf],
  ])('tells of the others when the stats of %s throw, and says so once', async (_, make) => {
    const metrics = new Metrics();
    const end = instrumentPools(metrics.provider, { traces: false });
    const pools = [make('broken'), poolOf('well')];
    ends.push(end, ...pools.map(pool => () => pool.close()));
    breaks(pools[0]!, 'stats');
    const limit = 'nestjs_pool.resource.limit';
    for (let collection = 0; collection < 3; collection++) {
      const seen = await metrics.collect();
      expect(seen.points(limit).map(({ attributes }) => attributes['nestjs_pool.pool.name'])).toEqual([
        'well',
      ]);
    }
    toldOnce('broken', 'OpenTelemetry', 'its stats are broken');
    mends(pools[0]!, 'stats');
    expect((await metrics.collect()).points(limit)).toHaveLength(2);
  });

  it('adds nothing of a pool that can be read by half to one of the same name', async () => {
    const metrics = new Metrics();
    const end = instrumentPools(metrics.provider, { traces: false });
    const pools = [poolOf('same'), poolOf('same')];
    ends.push(end, ...pools.map(pool => () => pool.close()));
    const { totals: _, ...stats } = pools[0]!.stats();
    Object.defineProperty(pools[0], 'stats', { value: () => stats });
    expect((await metrics.collect()).values('nestjs_pool.resource.limit')).toEqual([10]);
  });

  it('that begins later, with a provider, is not kept from the others', async () => {
    const watching = otel({ traces: false });
    const pools = [poolOf('broken'), poolOf('well')];
    breaks(pools[0]!, 'stats');
    for (const pool of pools) ends.push(watching.watch(asAny(pool))!, () => pool.close());
    toldOnce('broken', 'OpenTelemetry', 'its stats are broken');
  });

  it('lets go of the others when a pool that cannot be read has the name of one that is closed', async () => {
    const metrics = new Metrics();
    ends.push(instrumentPools(metrics.provider, { traces: false }));
    const [broken, gone] = [poolOf('same'), poolOf('same')];
    await gone.use(() => undefined);
    breaks(broken, 'stats');
    await gone.close();
    expect((await metrics.collect()).values('nestjs_pool.acquires')).toEqual([1]);
    mends(broken, 'stats');
    await broken.close();
  });
});

describe('the live page', () => {
  test.each<Member>(['stats', 'histograms', 'holders', 'resources', 'waiters'])(
    'shows the others when the %s of a pool throw, names it, and has it again afterwards',
    async member => {
      const app = await serveDashboard({ open: true }, [things('broken'), things('well')]);
      ends.push(() => app.app.close());
      const events = eventsOf(await fetch(`${app.url}/pools/events`));
      const names = async (): Promise<[string, string[], string[]]> => {
        const { event, json } = await next(events);
        const { unread = [] } = json as { unread?: string[] };
        return [event, json.pools.map(({ name }) => name), unread];
      };
      expect(await names()).toEqual(['full', ['broken', 'well'], []]);
      breaks(app.pool('broken'), member);
      expect(await untilFull(names)).toEqual(['full', ['well'], ['broken']]);
      const second = await fetch(`${app.url}/pools/events`);
      const first = (await next(eventsOf(second))).json as unknown as { pools: unknown[]; unread?: string[] };
      expect([first.pools.length, first.unread]).toEqual([1, ['broken']]);
      mends(app.pool('broken'), member);
      expect(await untilFull(names)).toEqual(['full', ['well', 'broken'], []]);
      toldOnce('broken', 'the live page', `its ${member} are broken`);
      await events.return(undefined);
    },
  );

  test('comes up with an application one of whose pools cannot be read', async () => {
    const stats = jest.spyOn(Pool.prototype, 'stats').mockImplementationOnce(() => {
      throw new Error('its stats are broken');
    });
    ends.push(() => stats.mockRestore());
    const app = await serveDashboard({ open: true }, [things('broken'), things('well')]);
    ends.push(() => app.app.close());
    toldOnce('broken', 'the live page', 'its stats are broken');
    const { json } = await next(eventsOf(await fetch(`${app.url}/pools/events`)));
    expect(json.pools.map(({ name }) => name)).toEqual(['well', 'broken']);
  });
});

/** The next event that has all of it. */
async function untilFull<T extends [string, ...unknown[]]>(read: () => Promise<T>): Promise<T> {
  for (;;) {
    const seen = await read();
    if (seen[0] === 'full') return seen;
  }
}
