import { afterAll, afterEach, beforeAll, beforeEach, describe, it, jest } from '@jest/globals';
import { THEMES } from './cases/index.js';
import { DRIVERS } from './drivers/index.js';
import { SuiteRig } from './rig.js';

// A case takes milliseconds: this only ends one that hangs.
jest.setTimeout(30_000);

describe.each(DRIVERS)('over $name,', driver => {
  if (driver.missing !== undefined) {
    console.warn(`skipped: ${driver.name}: ${driver.missing}`);
    it.skip(`nothing is tested here: ${driver.missing}`, () => undefined);
    return;
  }
  const rig = new SuiteRig(driver);
  beforeAll(() => rig.start(), 30_000);
  afterAll(() => rig.stop(), 30_000);
  beforeEach(() => rig.begin());
  afterEach(() => rig.end());

  for (const { cases } of THEMES) {
    for (const { name, needs = [], run } of cases) {
      if (needs.every(need => driver.can.includes(need))) it(name, () => run(rig));
    }
  }
});
