import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/engine/time/clock.js';
import { blockTheLoop } from '../support/block-the-loop.js';

const held = (): number => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;

describe('the clock of the process', () => {
  it('never goes backwards, and calls back once, not before the time', async () => {
    const began = systemClock.now();
    await new Promise<void>(resolve => systemClock.setTimer(() => resolve(), 20));
    // Timers count in whole milliseconds.
    expect(systemClock.now() - began).toBeGreaterThan(18);
  });

  it('has timers that hold the process, or not', () => {
    const before = held();
    const timer = systemClock.setTimer(() => undefined, 60_000);
    expect(held()).toBe(before + 1);
    timer.unref();
    expect(held()).toBe(before);
    timer.ref();
    expect(held()).toBe(before + 1);
    timer.cancel();
    expect(held()).toBe(before);
  });

  it.each(['set', 'held up by a blocked event loop'])(
    'calls back nobody who has cancelled a timer that was %s',
    async when => {
      let called = false;
      const timer = systemClock.setTimer(() => {
        called = true;
      }, 1);
      if (when === 'set') timer.cancel();
      const later = new Promise<void>(resolve => {
        setTimeout(() => {
          timer.cancel();
          setImmediate(resolve);
        }, 1);
      });
      blockTheLoop(50);
      await later;
      expect(called).toBe(false);
    },
  );

  it('calls back after a blockage only when the event loop has been once round', async () => {
    const order: string[] = [];
    const done = new Promise<void>(resolve => {
      systemClock.setTimer(() => {
        order.push('called back');
        resolve();
      }, 1);
    });
    setTimeout(() => order.push('a timer that was set later'), 1);
    blockTheLoop(50);
    await done;
    expect(order).toEqual(['a timer that was set later', 'called back']);
  });
});
