import { describe, expect, it } from '@jest/globals';
import { streamed } from '../support/borrowing/bodies.js';
import { LATE_ANSWERS, lateAnswers } from '../support/borrowing/late-answers.js';
import { borrowingRig } from '../support/borrowing/rig.js';
import { Call } from '../support/http-client.js';
import { KeepAliveClient } from '../support/keep-alive-client.js';
import { PLATFORMS } from '../support/nest-app.js';
import { until } from '../support/until.js';

// A doubt has no time at all: there must be none about an answer that NestJS sends, whatever it is.
describe.each(PLATFORMS)('an answer on %s that is made when its client has left', platform => {
  const rig = borrowingRig(platform, { ...lateAnswers, abandonedTimeout: 0 });

  const isGivenBack = async (): Promise<void> => {
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('source');
    rig.stage.open('work');
    const lease = await rig.pool.acquire();
    expect(lease.resource.id).toBe(1);
    lease.release();
    expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
  };

  it.each(LATE_ANSWERS)('costs no resource (%s)', async kind => {
    const call = new Call(rig.url('late', kind));
    await rig.stage.reached('work');
    call.leave();
    await isGivenBack();
  });

  it.each(LATE_ANSWERS)('costs no resource when its turn on its connection has not come (%s)', async kind => {
    const client = await KeepAliveClient.connect(rig.port);
    client.send('/late/first', `/late/${kind}`);
    await rig.stage.reached('work');
    client.lose();
    await isGivenBack();
  });

  it.each(streamed(platform))('costs no resource when its turn never comes (%s)', async kind => {
    const client = await KeepAliveClient.connect(rig.port);

    client.send('/late/first');
    await rig.stage.reached('first');
    const exchange = rig.nextExchange();
    client.send(`/late/${kind}`);
    rig.stage.open('work');
    const { response } = await exchange;
    // It has been given something to send, and keeps it until it may.
    await until(
      () => response.writableLength,
      length => length > 0,
    );
    client.lose();
    await isGivenBack();
  });
});
