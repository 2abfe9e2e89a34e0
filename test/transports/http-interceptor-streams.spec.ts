import { describe, expect, it } from '@jest/globals';
import { interceptorStreams } from '../support/borrowing/interceptor-streams.js';
import { borrowingRig, nextTurn } from '../support/borrowing/rig.js';
import { CHUNK, CHUNKS } from '../support/borrowing/sources.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS } from '../support/nest-app.js';

const MADE = [
  ...['made', 'made-of-observable', 'mapped', 'filter'],
  // Both ways of having one stream read another, of which only the first tells it of its end.
  ...['gzip', 'pipelined', 'leaky-gzip', 'piped'],
];

describe.each(PLATFORMS)('a stream on %s that is not the handler’s alone', platform => {
  const rig = borrowingRig(platform, { ...interceptorStreams, abandonedTimeout: 0 });
  const call = (path: string, method = 'GET'): Call => new Call(rig.url(path), { method });

  const isHeldUntilItsSourceCloses = async ({ destroyed } = { destroyed: 0 }): Promise<void> => {
    await rig.stage.reached('source');
    await nextTurn();
    expect(rig.leased()).toBe(1);
    rig.stage.open('source');
    await rig.stage.reached('closed');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed });
  };

  it.each(MADE)('has its resource until its source has closed (%s)', async path => {
    const answer = call(path).answer();
    await isHeldUntilItsSourceCloses();
    expect((await answer).body.length).toBeGreaterThanOrEqual(CHUNK * CHUNKS);
  });

  it.each(MADE)('has it until its source has closed when its client leaves half-way (%s)', async path => {
    const leaving = call(path);
    await leaving.firstBytes();
    leaving.leave();
    await rig.clientsGone();
    await isHeldUntilItsSourceCloses();
  });

  it.each(MADE)('has it until its source has closed when nobody wants its body (%s)', async path => {
    const answer = call(path, 'HEAD').answer();
    await isHeldUntilItsSourceCloses();
    expect((await answer).body).toBe('');
  });

  it('has it until its source has closed when its client leaves before it is sent, and destroyed with an interceptor given up at work', async () => {
    const leaving = call('late');
    await rig.stage.reached('late');
    leaving.leave();
    await rig.clientsGone();
    await isHeldUntilItsSourceCloses({ destroyed: 1 });
  });

  it('has it until its source has closed that nobody will read, as the handler has failed', async () => {
    const answer = call('vouched-and-failed').answer();
    await isHeldUntilItsSourceCloses();
    expect((await answer).status).toBe(500);
  });

  it('has it destroyed when a loop that goes on with it never ends what it writes', async () => {
    const leaving = call('loop-never-ends');
    await leaving.firstBytes();
    leaving.leave();
    const lease = await rig.pool.acquire();
    expect(lease.resource.id).toBe(2);
    lease.release();
    expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
  });

  it('has it as long as the application says, and no doubt is left then', async () => {
    const leaving = call('loop-is-waited-for');
    await leaving.firstBytes();
    leaving.leave();
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('loop');
    await rig.stage.reached('loop is over');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });
});

describe.each(PLATFORMS)('a stream on %s that somebody writes into', platform => {
  const rig = borrowingRig(platform, { ...interceptorStreams, abandonedTimeout: Infinity });

  it('has its resource until it has been ended, also when its client has left', async () => {
    const leaving = new Call(rig.url('loop-ends'));
    await leaving.firstBytes();
    leaving.leave();
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('loop');
    await rig.stage.reached('loop is over');
    await rig.allBack();
    expect(rig.pool.stats().totals).toMatchObject({ released: 1, destroyed: 0 });
  });
});
