import { describe, expect, it } from '@jest/globals';
import { Counter, INTERVAL, TARGET } from '../support/counter.js';
import { checkPoolsAfterEach } from '../support/invariants.js';

checkPoolsAfterEach();

describe('a queue in which nobody is served', () => {
  it('is noticed although more and more come', async () => {
    const counter = await Counter.open();
    for (let i = 0; i < 8 && counter.shed === 0; i++) {
      counter.join();
      await counter.pass(INTERVAL / 2);
    }
    expect(counter.fates).toMatch(/^r+/);
  });

  it('is noticed also when nobody had waited for some time', async () => {
    const counter = await Counter.open();
    await counter.serveAfter(1);
    await counter.pass(3 * INTERVAL);
    counter.join();
    await counter.pass(5 * INTERVAL);
    expect(counter.fates).toBe('fr');
  });

  it('is given another interval when the last one who was served did not wait for long', async () => {
    const counter = await Counter.open();
    await counter.serveAfter(TARGET);
    counter.join();
    await counter.pass(2 * INTERVAL);
    expect(counter.fates).toBe('fp');
    await counter.pass(1.1 * INTERVAL);
    expect(counter.fates).toBe('fr');
  });

  it('stands only when nobody has been served for a whole interval', async () => {
    const counter = await Counter.open();
    // All at once: whoever comes next has waited for as long.
    for (let i = 0; i < 3; i++) counter.join();
    await counter.pass(1.5 * INTERVAL);
    await counter.serve();
    await counter.pass(0.6 * INTERVAL);
    expect(counter.fates).toBe('fpp');
  });

  it('does not stand when its first has changed since the last look', async () => {
    const counter = await Counter.open();
    await counter.pass(1);
    counter.join();
    await counter.pass(1);
    counter.join();
    await counter.pass(INTERVAL - 20);
    await counter.serve();
    await counter.pass(1.1 * INTERVAL);
    expect(counter.fates).toBe('fp');
  });

  it('is cut for an interval: what comes back in it goes to nobody who has waited for twice the target', async () => {
    const counter = await Counter.open();
    counter.join();
    await counter.pass(2.1 * INTERVAL);
    expect(counter.fates).toBe('r');
    counter.join();
    await counter.pass(3 * TARGET);
    counter.join();
    await counter.serve();
    expect(counter.fates).toBe('rrf');
  });
});
