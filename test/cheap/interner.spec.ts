import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Interner, PoolMisuseError } from '../../src/cheap.js';
import { bytesKeptBy, collectGarbage, partsOfLargeTexts } from './memory.js';

interface Point {
  readonly x: number;
}
const key = ({ x }: Point): string => `${x}`;
const point = (x: number): Point => Object.freeze({ x });

/** Runs what is registered with a FinalizationRegistry, which is done in turns of the event loop of their own. */
async function finalize(done: () => boolean, turns = 200): Promise<void> {
  for (let i = 0; i < turns && !done(); i++) {
    collectGarbage();
    await new Promise(resolve => setImmediate(resolve));
  }
}

describe.each([false, true])('an interner (weak: %p)', weak => {
  it('has one value for all that are equal', () => {
    const points = new Interner({ max: 10, key, weak });
    const first = point(1);
    expect(points.intern(first)).toBe(first);
    expect(points.intern(point(1))).toBe(first);
    expect(points.intern(point(2))).not.toBe(first);
    expect(points.size).toBe(2);
  });

  it('remembers no more than max, and forgets what was asked for least recently', () => {
    const points = new Interner({ max: 2, key, weak });
    const [a, b, c] = [point(1), point(2), point(3)];
    for (const each of [a, b, point(1), c]) points.intern(each);
    expect(points.size).toBe(2);
    expect(points.intern(point(1))).toBe(a);
    expect(points.intern(point(3))).toBe(c);
    expect(points.intern(point(2))).not.toBe(b);
  });

  it('does not grow with what somebody makes up', () => {
    const points = new Interner({ max: 100, key, weak });
    for (let x = 0; x < 10_000; x++) points.intern(point(x));
    expect(points.size).toBe(100);
  });

  it('hands back what has a long key as it is, and does not remember it', () => {
    const points = new Interner({ max: 10, key, maxKeyLength: 3, weak });
    const long = point(1_000);
    expect(points.intern(long)).toBe(long);
    expect(points.size).toBe(0);
    points.intern(point(999));
    expect(points.size).toBe(1);
  });

  it('refuses a key that is no text, as all values without one would be the same', () => {
    const points = new Interner({ max: 1, key: (() => undefined) as unknown as typeof key, weak });
    expect(() => points.intern(point(1))).toThrow(PoolMisuseError);
    expect(() => points.intern(point(1))).toThrow(
      'Interner: key returned a value of type undefined; it must',
    );
  });

  it('lets through what key throws', () => {
    const points = new Interner<Point | null>({ max: 1, key: value => String(value!.x), weak });
    expect(() => points.intern(null)).toThrow(TypeError);
  });
});

describe('an interner of texts', () => {
  it('needs no key, and gives back an equal text', () => {
    const texts = new Interner({ max: 2 });
    for (const text of ['', 'a', '__proto__', 'constructor', 'ä€😀', '\ud800', 'a'.repeat(1_000)]) {
      expect(texts.intern(text)).toBe(text);
      expect(texts.intern(text)).toBe(text);
    }
    expect(texts.size).toBe(2);
  });

  it('does not remember texts of more than 1000 characters, unless told to', () => {
    const texts = new Interner({ max: 2 });
    texts.intern('a'.repeat(1_001));
    expect(texts.size).toBe(0);
    texts.intern('a'.repeat(1_000));
    expect(texts.size).toBe(1);
  });

  it('does not keep in memory the large text of which an interned one is a part', () => {
    const texts = new Interner({ max: 50 });
    const kept = bytesKeptBy(() => partsOfLargeTexts(50, part => texts.intern(part)));
    expect(texts.size).toBe(50);
    expect(kept).toBeLessThan(10_000_000);
  });

  it.each([1, undefined, null, {}])('refuses what is no text: %p', value => {
    const texts = new Interner({ max: 1 }) as unknown as Interner<unknown>;
    expect(() => texts.intern(value)).toThrow(
      `a value of type ${typeof value} has no key of its own. Give a key`,
    );
  });

  it('is what a Map in the order of use would be, whatever is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(6), { maxLength: 80 }), (max, asked) => {
        const points = new Interner({ max, key });
        let model: Point[] = [];
        for (const x of asked) {
          const mine = point(x);
          const known = model.find(each => each.x === x);
          expect(points.intern(mine)).toBe(known ?? mine);
          model = [...model.filter(each => each.x !== x), known ?? mine].slice(-max);
          expect(points.size).toBe(model.length);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('a weak interner', () => {
  it('forgets what nobody else has, and its key', async () => {
    const points = new Interner({ max: 100, key, weak: true });
    const held = points.intern(point(0));
    for (let x = 1; x < 50; x++) points.intern(point(x));
    await finalize(() => points.size === 1);
    expect(points.size).toBe(1);
    expect(points.intern(point(0))).toBe(held);
  });

  it('does not forget a value that came after one with the same key had gone', async () => {
    const points = new Interner({ max: 100, key, weak: true });
    points.intern(point(1));
    await new Promise(resolve => setImmediate(resolve));
    collectGarbage();
    // The first is gone, and its registry has not been told yet.
    const second = point(1);
    expect(points.intern(second)).toBe(second);
    points.intern(point(2));
    await finalize(() => points.size === 1);
    expect(points.size).toBe(1);
    expect(points.intern(point(1))).toBe(second);
  });

  it('is the only one to do so: one that is not weak keeps them', async () => {
    const points = new Interner({ max: 100, key });
    for (let x = 0; x < 50; x++) points.intern(point(x));
    await finalize(() => false, 5);
    expect(points.size).toBe(50);
  });

  it('does not grow when values that somebody has are forgotten and come again', () => {
    const points = new Interner({ max: 1, key, weak: true });
    const held = [point(1), point(2)];
    const kept = bytesKeptBy(() => {
      for (let i = 0; i < 100_000; i++) points.intern(held[i % 2]!);
    });
    expect(kept).toBeLessThan(4_000_000);
  });

  it('refuses a value that is no object', () => {
    const texts = new Interner<string>({ max: 1, key: text => text, weak: true });
    expect(() => texts.intern('a')).toThrow(
      'Interner: a value is of type string; with weak it must be an object.',
    );
  });
});
