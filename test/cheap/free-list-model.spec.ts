import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FreeList } from '../../src/cheap.js';

interface Item {
  id: number;
  owner: number | undefined;
}

type Step = { do: 'take' } | { do: 'give'; which: number; resets: 'well' | 'false' | 'throws' };

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({
      do: fc.constant('give' as const),
      which: fc.nat(),
      resets: fc.constantFrom('well' as const, 'well' as const, 'false' as const, 'throws' as const),
    }),
  ),
  { maxLength: 60 },
);

it('lends each item to one at a time, reset, and keeps no more than max, whatever is done', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.boolean(), steps, (max, debug, all: Step[]) => {
      let made = 0;
      let resets: 'well' | 'false' | 'throws' = 'well';
      const list = new FreeList({
        create: (): Item => ({ id: ++made, owner: undefined }),
        reset: item => {
          if (resets === 'throws') throw new Error('cannot');
          item.owner = undefined;
          return resets === 'well';
        },
        max,
        debug,
      });
      // The model: who has what, and what is kept, the last on top.
      const lent: Item[] = [];
      const kept: Item[] = [];
      let dropped = 0;
      all.forEach((step, at) => {
        if (step.do === 'take') {
          const before = made;
          const item = list.take();
          const expected = kept.pop();
          if (expected) expect(item).toBe(expected);
          else expect(made).toBe(before + 1);
          expect(lent).not.toContain(item);
          expect(item.owner).toBeUndefined();
          item.owner = at;
          lent.push(item);
        } else if (lent.length > 0) {
          const [item] = lent.splice(step.which % lent.length, 1);
          resets = step.resets;
          list.give(item!);
          if (kept.length < max && resets === 'well') kept.push(item!);
          else dropped++;
        }
        expect(list.size).toBe(kept.length);
        expect(list.size).toBeLessThanOrEqual(max);
        expect(list.dropped).toBe(dropped);
      });
    }),
    { numRuns: 300, seed: 1 },
  );
});
