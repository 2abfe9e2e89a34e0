import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DRIVERS } from './drivers/index.js';
import type { Handler } from './driver.js';
import { SuiteRig } from './rig.js';

/** The same controllers and gateways in two applications of one process: each lends its own. */
describe.each(DRIVERS.filter(({ name }) => ['TCP', 'ws', 'gRPC'].includes(name)))('over $name,', driver => {
  const rigs = [new SuiteRig(driver), new SuiteRig(driver)];
  beforeAll(async () => {
    for (const rig of rigs) await rig.start();
  });
  beforeEach(() => {
    for (const rig of rigs) rig.begin();
  });
  afterEach(async () => {
    for (const rig of rigs) await rig.end();
  });
  afterAll(async () => {
    for (const rig of rigs) await rig.stop();
  });

  const handlers: Handler[] = ['bare', 'deep', 'surrounded', 'inherited'];
  it.each(handlers)('a handler that is %s has the thing of its own application', async handler => {
    for (const [i, rig] of rigs.entries()) {
      const client = await rig.client();
      const order = rig.order({ uses: ['guard', 'filter'], throws: 'after', stops: ['handler'] });
      const reply = client.send(handler, order);
      await rig.stage.reached(`handler ${order.id}`);
      expect(rig.leased).toBe(1);
      expect(rigs[1 - i]!.leased).toBe(0);
      rig.stage.open(`handler ${order.id}`);
      await reply.first();
    }
  });
});
