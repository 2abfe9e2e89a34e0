import { describe, expect, it } from '@jest/globals';
import { FreeList, PoolMisuseError } from '../../src/cheap.js';
import { collectGarbage } from './memory.js';

interface Point {
  x: number;
}

const points = (options: { max?: number; debug?: boolean; detectUseAfterGive?: boolean } = {}) => {
  let made = 0;
  const list = new FreeList({ create: (): Point => ({ x: ++made }), max: 2, ...options });
  return { list, made: () => made };
};

/** With and without the checks, it is the same list. */
describe.each([{ debug: true }, { debug: false }])('a free list (%j)', ({ debug }) => {
  it('makes an item only when none is kept', () => {
    const { list, made } = points({ debug });
    const first = list.take();
    list.give(first);
    expect(list.size).toBe(1);
    expect(list.take()).toBe(first);
    expect(list.size).toBe(0);
    expect(list.take()).not.toBe(first);
    expect(made()).toBe(2);
  });

  it('lends what was given back last', () => {
    const { list } = points({ debug });
    const [a, b] = [list.take(), list.take()];
    list.give(a);
    list.give(b);
    expect([list.take(), list.take()]).toEqual([b, a]);
  });

  it('keeps no more than max, and says how many it dropped', () => {
    const { list } = points({ debug, max: 2 });
    const taken = [list.take(), list.take(), list.take()];
    for (const item of taken) list.give(item);
    expect(list.size).toBe(2);
    expect(list.dropped).toBe(1);
    expect([list.take(), list.take()]).toEqual([taken[1], taken[0]]);
  });

  it('resets an item when it is given back, and not one for which there is no room', () => {
    const reset: Point[] = [];
    const list = new FreeList({
      create: (): Point => ({ x: 0 }),
      reset: point => {
        reset.push(point);
        point.x = 0;
      },
      max: 1,
      debug,
    });
    const [a, b] = [list.take(), list.take()];
    a.x = 5;
    list.give(a);
    list.give(b);
    expect(reset).toEqual([a]);
    expect(list.take()).toEqual({ x: 0 });
  });

  it.each([
    ['throws', () => expect(undefined).toBeDefined()],
    ['returns false', () => false],
  ])('drops an item whose reset %s', (_, reset) => {
    const list = new FreeList({ create: (): Point => ({ x: 0 }), reset, max: 1, debug });
    list.give(list.take());
    expect(list.size).toBe(0);
    expect(list.dropped).toBe(1);
  });

  it('stays within max when a reset gives back others', () => {
    const others: Point[] = [];
    const list = new FreeList<Point>({
      create: (): Point => ({ x: 0 }),
      reset: () => {
        const other = others.pop();
        if (other) list.give(other);
      },
      max: 1,
      debug,
    });
    const [a, b] = [list.take(), list.take()];
    others.push(b);
    list.give(a);
    expect(list.size).toBe(1);
    expect(list.dropped).toBe(1);
    expect(list.take()).toBe(b);
  });

  it('lets what create throws through, and goes on', () => {
    let fails = true;
    const list = new FreeList({
      create: (): Point => {
        if (fails) throw new Error('no memory');
        return { x: 1 };
      },
      max: 1,
      debug,
    });
    expect(() => list.take()).toThrow('no memory');
    fails = false;
    expect(list.take()).toEqual({ x: 1 });
  });

  it('does not keep in memory what is never given back', async () => {
    const { list } = points({ debug });
    const takeForGood = (): WeakRef<Point> => {
      list.give(list.take());
      return new WeakRef(list.take());
    };
    const lost = takeForGood();
    // What a WeakRef was made of stays until the turn is over.
    await new Promise(resolve => setImmediate(resolve));
    collectGarbage();
    expect(lost.deref()).toBeUndefined();
    expect(list.size).toBe(0);
  });

  it('calls create and reset on the object that they were given on', () => {
    class Points {
      readonly max = 1;
      readonly debug = debug;
      readonly #made: Point[] = [];
      create(): Point {
        const point = { x: this.#made.length };
        this.#made.push(point);
        return point;
      }
      reset(point: Point): boolean {
        return this.#made.includes(point);
      }
    }
    const list = new FreeList<Point>(new Points());
    list.give(list.take());
    expect(list.size).toBe(1);
  });
});

describe('misuse in development', () => {
  it('is refused when an item is given twice', () => {
    const { list } = points({ debug: true });
    const item = list.take();
    list.give(item);
    expect(() => list.give(item)).toThrow(PoolMisuseError);
    expect(() => list.give(item)).toThrow(
      /^FreeList: this item was given back already; two users would get it/,
    );
    expect(list.size).toBe(1);
  });

  it('is refused when an item that was dropped is given twice', () => {
    const { list } = points({ debug: true, max: 1 });
    const [a, b] = [list.take(), list.take()];
    list.give(a);
    list.give(b);
    expect(() => list.give(b)).toThrow('given back already');
  });

  it.each([{ x: 1 }, undefined, null, 1, 'text'])(
    'is refused when what is given is not from here: %p',
    thing => {
      const { list } = points({ debug: true });
      expect(() => list.give(thing as Point)).toThrow('not taken from this list');
      expect(() => list.give(points({ debug: true }).list.take())).toThrow('not taken from this list');
      expect(list.size).toBe(0);
    },
  );

  it('is refused when create returns what is lent already, a promise, or no object', () => {
    const shared = { x: 1 };
    const same = new FreeList({ create: () => shared, max: 1, debug: true });
    same.take();
    expect(() => same.take()).toThrow('create returned an item that is lent already');
    const late = new FreeList({ create: async () => ({ x: 1 }), max: 1, debug: true });
    expect(() => late.take()).toThrow('create returned a promise; it must be synchronous');
    const number = new FreeList({ create: () => 1 as unknown as Point, max: 1, debug: true });
    expect(() => number.take()).toThrow('create returned 1; it must return an object');
  });

  it('is refused when reset returns a promise, which may reject', () => {
    const reset = (async () => Promise.reject(new Error('late'))) as unknown as () => void;
    const list = new FreeList({ create: () => ({ x: 1 }), reset, max: 1, debug: true });
    const item = list.take();
    expect(() => list.give(item)).toThrow('reset returned a promise; it must be synchronous');
    expect(list.size).toBe(0);
  });

  it('is refused when NODE_ENV is not production, if nothing else is said', () => {
    const { NODE_ENV } = process.env;
    try {
      process.env.NODE_ENV = 'production';
      const { list } = points();
      list.give({ x: 9 });
      expect(list.take()).toEqual({ x: 9 });
      process.env.NODE_ENV = 'staging';
      const { list: other } = points();
      expect(() => other.give({ x: 9 })).toThrow(PoolMisuseError);
    } finally {
      process.env.NODE_ENV = NODE_ENV;
    }
  });
});

describe('use after give, with detectUseAfterGive', () => {
  it('is refused, and the next user is not bothered', () => {
    const { list, made } = points({ debug: true, detectUseAfterGive: true });
    const mine = list.take();
    mine.x = 7;
    list.give(mine);
    const theirs = list.take();
    expect(made()).toBe(1);
    expect(theirs.x).toBe(7);
    expect(() => mine.x).toThrow(PoolMisuseError);
    expect(() => (mine.x = 8)).toThrow('this item was used after it had been given back');
    expect(theirs.x).toBe(7);
  });

  it('does not let an old borrower give back what is somebody else’s now', () => {
    const { list } = points({ debug: true, detectUseAfterGive: true });
    const mine = list.take();
    list.give(mine);
    const theirs = list.take();
    expect(() => list.give(mine)).toThrow('given back already');
    expect(theirs.x).toBe(1);
    expect(list.size).toBe(0);
  });

  it('leaves items with internals of their own usable', () => {
    const list = new FreeList({
      create: () => new Map<string, number>(),
      reset: map => map.clear(),
      max: 1,
      debug: true,
      detectUseAfterGive: true,
    });
    const map = list.take();
    map.set('a', 1);
    expect(map.get('a')).toBe(1);
    list.give(map);
    expect(list.take().size).toBe(0);
    expect(() => map.get('a')).toThrow(PoolMisuseError);
  });

  it('is off without debug: what is lent is the item itself', () => {
    const made: Point[] = [];
    const create = (): Point => {
      const point = { x: 1 };
      made.push(point);
      return point;
    };
    expect(new FreeList({ create, max: 1, debug: false, detectUseAfterGive: true }).take()).toBe(made[0]);
    expect(new FreeList({ create, max: 1, debug: true, detectUseAfterGive: true }).take()).not.toBe(made[1]);
  });
});
