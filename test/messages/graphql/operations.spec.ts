import { describe, expect, it } from '@jest/globals';
import { borrowingRig } from '../../support/borrowing/rig.js';
import { Items } from '../../support/graphql/operations-world.js';
import { GRAPHQL_SERVERS } from '../../support/graphql/servers.js';
import { Call } from '../../support/http-client.js';

describe.each(GRAPHQL_SERVERS)('an operation over HTTP, of $name', ({ platform, module }) => {
  const rig = borrowingRig(platform, () => ({
    controllers: [],
    imports: [module()],
    providers: [Items],
    abandonedTimeout: 0,
  }));

  const send = async (body: unknown): Promise<unknown> =>
    JSON.parse((await new Call(rig.url('graphql'), { method: 'POST', body }).answer()).body);
  const ask = (query: string): Promise<unknown> => send({ query });
  const acquired = (): number => rig.pool.stats().totals.acquired;

  it.each([
    ['{ byParameter deep }', { byParameter: 1, deep: 1 }],
    ['mutation { a: change b: change }', { a: 1, b: 1 }],
    [
      '{ items { lentTo fast } }',
      {
        items: [
          { lentTo: 11, fast: 11 },
          { lentTo: 21, fast: 21 },
        ],
      },
    ],
    ['{ a: item(id: 1) { fast } b: item(id: 2) { fast } }', { a: { fast: 11 }, b: { fast: 21 } }],
  ])('has one resource, interpreted or compiled: %s', async (query, data) => {
    for (let time = 1; time <= 3; time++) {
      expect(await ask(query)).toEqual({ data });
      await rig.allBack();
      expect(acquired()).toBe(time);
    }
    expect(rig.pool.stats().totals).toMatchObject({ released: 3, destroyed: 0 });
  });

  it('shares its resource with those that come in one request with it', async () => {
    expect(await send([{ query: '{ deep }' }, { query: '{ byParameter }' }])).toEqual([
      { data: { deep: 1 } },
      { data: { byParameter: 1 } },
    ]);
    await rig.allBack();
    expect(acquired()).toBe(1);
  });

  it('lends to the data loader of a request what the request has', async () => {
    rig.stage.open('slow');
    expect(await ask('{ items { loaded lentTo } }')).toEqual({
      data: {
        items: [
          { loaded: 11, lentTo: 11 },
          { loaded: 21, lentTo: 21 },
        ],
      },
    });
    await rig.allBack();
    expect(acquired()).toBe(1);
  });

  it('never lends to a data loader that all share what somebody else has by then', async () => {
    rig.stage.open('slow');
    const all = await Promise.all([1, 2, 3, 4].map(id => ask(`{ item(id: ${id}) { fromShared } }`)));
    expect(all).toEqual([1, 2, 3, 4].map(id => ({ data: { item: { fromShared: id * 10 + 1 } } })));
  });

  it.each(['slowAndFast', 'lazy', 'loaded'])(
    'has its resource until its last resolver is done, also when another has failed it: %s',
    async field => {
      const answer = await ask(`{ item(id: 1) { ${field} } broken }`);
      expect(answer).toMatchObject({ data: null });
      expect(rig.leased()).toBe(1);
      const second = ask('{ deep }');
      await rig.waitingAre(1);
      rig.stage.open('slow');
      expect(await second).toEqual({ data: { deep: 1 } });
      expect(rig.pool.stats().totals).toMatchObject({ acquired: 2, destroyed: 0 });
    },
  );

  it('has its resource until its last resolver is done, also when its client has left', async () => {
    const leaving = new Call(rig.url('graphql'), {
      method: 'POST',
      body: { query: '{ item(id: 1) { slowAndFast } }' },
    });
    await rig.stage.reached('slow');
    leaving.leave();
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('slow');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 0 });
  });
});
