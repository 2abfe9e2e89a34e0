import { describe, expect, it } from '@jest/globals';
import { LATE_ANSWERS, lateAnswers } from '../support/borrowing/late-answers.js';
import { borrowingRig } from '../support/borrowing/rig.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS } from '../support/nest-app.js';

// A doubt has no time at all: there must be none about an answer that NestJS sends, whatever it is.
describe.each(PLATFORMS)('an answer on %s that is made when its client has left', platform => {
  const rig = borrowingRig(platform, { ...lateAnswers, abandonedTimeout: 0 });

  it.each(LATE_ANSWERS)('costs no resource (%s)', async kind => {
    const call = new Call(rig.url(kind));
    await rig.stage.reached('work');
    call.leave();
    await rig.clientsGone();
    expect(rig.leased()).toBe(1);
    rig.stage.open('source');
    rig.stage.open('work');
    const lease = await rig.pool.acquire();
    expect(lease.resource.id).toBe(1);
    lease.release();
    expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
  });
});
