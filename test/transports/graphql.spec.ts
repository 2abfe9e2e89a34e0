import { describe, expect, it } from '@jest/globals';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { graphqlModule, graphqlProviders } from '../support/graphql-world.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS } from '../support/nest-app.js';

describe.each(PLATFORMS)('an operation of GraphQL on %s', platform => {
  const rig = borrowingRig(platform, {
    controllers: [],
    imports: [graphqlModule({ allowBatchedHttpRequests: true })],
    providers: graphqlProviders,
    abandonedTimeout: 0,
  });

  const call = (...queries: string[]): Call => {
    const body = queries.map(query => ({ query }));
    return new Call(rig.url('graphql'), { method: 'POST', body: body.length === 1 ? body[0] : body });
  };
  const ask = async (...queries: string[]): Promise<unknown> =>
    JSON.parse((await call(...queries).answer()).body);
  const hasBorrowedOnce = async (): Promise<void> => {
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 1, released: 1, destroyed: 0 });
  };

  it.each([
    ['{ byParameter deep }', { byParameter: 1, deep: 1 }],
    ['mutation { a: change b: change }', { a: 1, b: 1 }],
    ['{ items { lentTo } }', { items: [{ lentTo: 11 }, { lentTo: 21 }] }],
    ['{ surrounded(text: "text") }', { surrounded: 'text, piped by 1, handled by 1, intercepted by 1' }],
  ])('has one resource: %s', async (query, data) => {
    expect(await ask(query)).toEqual({ data });
    await hasBorrowedOnce();
  });

  it('shares its resource with those that come in one request with it', async () => {
    expect(await ask('{ deep }', '{ byParameter }', 'mutation { change }')).toEqual([
      { data: { deep: 1 } },
      { data: { byParameter: 1 } },
      { data: { change: 1 } },
    ]);
    await hasBorrowedOnce();
  });

  const isKeptFromOthers = async (answer: Promise<unknown>): Promise<void> => {
    expect(rig.leased()).toBe(1);
    const second = ask('{ deep }');
    await rig.waitingAre(1);
    rig.stage.open('slow', 'filter');
    expect(await second).toEqual({ data: { deep: 1 } });
    await answer;
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ acquired: 2, released: 2, destroyed: 0 });
  };

  it('has its resource until its last resolver is done, also when another has failed it', async () => {
    const answer = ask('{ slow broken }');
    expect(await answer).toMatchObject({ data: null });
    await isKeptFromOthers(answer);
  });

  it('has its resource until its last resolver is done, also when its client has left', async () => {
    const leaving = call('{ slow }');
    await rig.stage.reached('slow');
    leaving.leave();
    await rig.clientsGone();
    await nextTurn();
    await isKeptFromOthers(Promise.resolve());
  });

  it('has its resource until an exception filter is done, also when another resolver has failed it', async () => {
    const answer = ask('{ slowlyFiltered broken }');
    expect(await answer).toMatchObject({ data: null });
    await rig.stage.reached('filter');
    await isKeptFromOthers(answer);
    await rig.stage.reached('filter is over');
  });

  it('of several in one request has it until the last resolver of all is done', async () => {
    const answer = ask('{ slow broken }', '{ deep }');
    expect(await answer).toMatchObject([{ data: null }, { data: { deep: 1 } }]);
    await isKeptFromOthers(answer);
  });
});
