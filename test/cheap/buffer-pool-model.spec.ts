import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BufferPool, type LentBuffer } from '../../src/cheap.js';

type Step = { take: number } | { release: number };

const steps = fc.array(
  fc.oneof(fc.record({ take: fc.integer({ min: 0, max: 300 }) }), fc.record({ release: fc.nat() })),
  { maxLength: 60 },
);

it('lends bytes to one at a time, zeroed, and keeps no more than maxBytes, whatever is done', () => {
  fc.assert(
    fc.property(fc.integer({ min: 128, max: 1_000 }), fc.boolean(), steps, (maxBytes, debug, all: Step[]) => {
      const buffers = new BufferPool({ minSize: 16, maxSize: 128, maxBytes, debug });
      /** Who has a buffer, and the number that is written all over its memory. */
      const lent = new Map<LentBuffer, number>();
      const released = new Set<ArrayBufferLike>();
      all.forEach((step, at) => {
        if ('take' in step) {
          const before = buffers.keptBytes;
          const one = buffers.take(step.take);
          expect(one.buffer).toHaveLength(step.take);
          const bytes = new Uint8Array(one.buffer.buffer);
          expect(bytes.every(byte => byte === 0)).toBe(true);
          const number = (at % 255) + 1;
          bytes.fill(number);
          lent.set(one, number);
          // What was kept became less by this one, or this one is new.
          const used = before - buffers.keptBytes;
          expect([0, bytes.length]).toContain(used);
          if (!debug) expect(used > 0).toBe(used > 0 && released.has(one.buffer.buffer));
        } else if (lent.size > 0) {
          const [one, number] = [...lent][step.release % lent.size]!;
          expect(new Uint8Array(one.buffer.buffer).every(byte => byte === number)).toBe(true);
          released.add(one.buffer.buffer);
          lent.delete(one);
          one.release();
        }
        expect(buffers.keptBytes).toBeGreaterThanOrEqual(0);
        expect(buffers.keptBytes).toBeLessThanOrEqual(maxBytes);
      });
      for (const [one, number] of lent) {
        expect(new Uint8Array(one.buffer.buffer).every(byte => byte === number)).toBe(true);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});
