import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { BufferPool, PoolMisuseError, PoolOptionsError, type BufferPoolOptions } from '../../src/cheap.js';

const SIZES = { minSize: 16, maxSize: 256, maxBytes: 512 };
const pool = (options: Partial<BufferPoolOptions> = {}): BufferPool =>
  new BufferPool({ ...SIZES, ...options });

/** Where its bytes are. With `debug` they move at each release. */
const memoryOf = ({ buffer }: { buffer: Buffer }): unknown => buffer.buffer;

describe('a lent buffer', () => {
  it.each([0, 1, 15, 16, 17, 100, 128, 255, 256, 257, 10_000])(
    'has the length that was asked for: %d',
    size => {
      using lent = pool().take(size);
      expect(Buffer.isBuffer(lent.buffer)).toBe(true);
      expect(lent.buffer).toHaveLength(size);
      expect(lent.buffer.every(byte => byte === 0)).toBe(true);
    },
  );

  it.each([
    [0, 16],
    [16, 16],
    [17, 32],
    [128, 128],
    [129, 256],
    [256, 256],
    [257, 257],
  ])('of %d bytes has %d of its own, and reaches nobody else’s', (size, memory) => {
    for (const zero of [true, false]) {
      const buffers = pool({ zero });
      const [a, b] = [buffers.take(size), buffers.take(size)];
      expect(a.buffer.byteOffset).toBe(0);
      expect(a.buffer.buffer.byteLength).toBe(memory);
      expect(memoryOf(a)).not.toBe(memoryOf(b));
    }
  });

  it('is used again for what fits into the same size', () => {
    const buffers = pool({ debug: false });
    const first = buffers.take(20);
    const memory = memoryOf(first);
    first.release();
    expect(buffers.keptBytes).toBe(32);
    expect(memoryOf(buffers.take(33))).not.toBe(memory);
    expect(memoryOf(buffers.take(16))).not.toBe(memory);
    expect(memoryOf(buffers.take(32))).toBe(memory);
    expect(buffers.keptBytes).toBe(0);
  });

  it('shows nothing of its last user, nor of what that wrote beyond the length', () => {
    const buffers = pool({ debug: false });
    const mine = buffers.take(20);
    new Uint8Array(mine.buffer.buffer).fill(7);
    mine.release();
    const theirs = buffers.take(32);
    expect(theirs.buffer.equals(Buffer.alloc(32))).toBe(true);
  });

  it('shows what was there before without zero', () => {
    const buffers = pool({ debug: false, zero: false });
    const mine = buffers.take(20);
    mine.buffer.fill(7);
    mine.release();
    expect(buffers.take(20).buffer.equals(Buffer.alloc(20, 7))).toBe(true);
  });

  it('is released at the end of a block with using, also if that was done before', () => {
    const buffers = pool();
    {
      using lent = buffers.take(20);
      lent.buffer[0] = 1;
      expect(buffers.keptBytes).toBe(0);
    }
    expect(buffers.keptBytes).toBe(32);
    {
      using lent = buffers.take(20);
      lent.release();
    }
    expect(buffers.keptBytes).toBe(32);
  });

  it('has nothing that its last user put on it', () => {
    const buffers = pool({ debug: false });
    const mine = buffers.take(16);
    Object.assign(mine.buffer, { secret: 1 });
    mine.release();
    expect(buffers.take(16).buffer).not.toHaveProperty('secret');
  });
});

describe('what is kept', () => {
  it('is nothing that is larger than maxSize', () => {
    const buffers = pool();
    buffers.take(257).release();
    expect(buffers.keptBytes).toBe(0);
  });

  it('is no more than maxBytes', () => {
    const buffers = pool();
    const all = [256, 256, 256].map(size => buffers.take(size));
    for (const lent of all) lent.release();
    expect(buffers.keptBytes).toBe(512);
  });

  it('makes room for sizes that are asked for more recently', () => {
    const buffers = pool();
    const small = Array.from({ length: 32 }, () => buffers.take(16));
    for (const lent of small) lent.release();
    expect(buffers.keptBytes).toBe(512);
    const [large, larger] = [buffers.take(128), buffers.take(256)];
    larger.release();
    expect(buffers.keptBytes).toBe(512);
    large.release();
    expect(buffers.keptBytes).toBe(512);
    // 16 bytes, the oldest, have made room for both: 384 are of the two, and 128 are left.
    for (const size of [128, 256]) buffers.take(size);
    expect(buffers.keptBytes).toBe(128);
    for (let i = 0; i < 40; i++) buffers.take(16);
    expect(buffers.keptBytes).toBe(0);
  });

  it('does not make room for a size that is asked for less recently', () => {
    const buffers = pool({ maxBytes: 256 });
    const small = buffers.take(16);
    buffers.take(256).release();
    small.release();
    expect(buffers.keptBytes).toBe(256);
  });

  it('is nothing of a buffer whose memory was transferred to somebody else', () => {
    for (const debug of [true, false]) {
      const buffers = pool({ debug });
      const lent = buffers.take(16);
      structuredClone(lent.buffer.buffer, { transfer: [lent.buffer.buffer as ArrayBuffer] });
      lent.release();
      expect(buffers.keptBytes).toBe(0);
      expect(buffers.take(16).buffer).toHaveLength(16);
    }
  });
});

describe('misuse', () => {
  it.each([true, false])('is refused when a buffer is released twice (debug: %p)', debug => {
    const buffers = pool({ debug });
    const lent = buffers.take(16);
    lent.release();
    expect(() => lent.release()).toThrow(PoolMisuseError);
    expect(() => lent.release()).toThrow('BufferPool: this buffer was released already.');
    expect(buffers.keptBytes).toBe(16);
  });

  it.each([true, false])('is refused when a buffer is used after its release (debug: %p)', debug => {
    const lent = pool({ debug }).take(16);
    lent.release();
    expect(() => lent.buffer).toThrow(PoolMisuseError);
    expect(() => lent.buffer).toThrow('BufferPool: this buffer was used after its release');
  });

  it('shows nothing of the next user to who logs a buffer that was released', () => {
    const buffers = pool({ debug: false });
    const mine = buffers.take(16);
    mine.release();
    const theirs = buffers.take(16);
    theirs.buffer.fill(0xab);
    expect(inspect(theirs)).toContain('ab ab ab');
    expect(inspect(mine, { depth: 9 })).not.toContain('ab ab ab');
  });

  it('finds nothing with debug when a view was kept: it is empty, and writes reach nobody', () => {
    const buffers = pool({ debug: true });
    for (const size of [16, 10_000]) {
      const lent = buffers.take(size);
      const kept = lent.buffer;
      const part = kept.subarray(2, 4);
      lent.release();
      expect([kept.length, part.length, kept[0]]).toEqual([0, 0, undefined]);
      kept[0] = 1;
      expect(buffers.take(size).buffer.equals(Buffer.alloc(size))).toBe(true);
    }
  });

  it('is checked with debug unless NODE_ENV is production', () => {
    const { NODE_ENV } = process.env;
    const lengthAfterRelease = (): number => {
      const lent = pool().take(16);
      const { buffer } = lent;
      lent.release();
      return buffer.length;
    };
    try {
      process.env.NODE_ENV = 'production';
      expect(lengthAfterRelease()).toBe(16);
      process.env.NODE_ENV = 'development';
      expect(lengthAfterRelease()).toBe(0);
    } finally {
      process.env.NODE_ENV = NODE_ENV;
    }
  });

  it.each([-1, 1.5, NaN, Infinity, 2 ** 53, '16', undefined])('is refused when the size is %p', size => {
    const take = (): unknown => pool().take(size as number);
    expect(take).toThrow(PoolOptionsError);
    expect(take).toThrow(/^BufferPool: option "size" is .+; it must be a whole number from 0 to \d+\.$/);
  });
});

it('keeps 1024 bytes at least, or maxSize if that is less, when no minSize is given', () => {
  const buffers = new BufferPool({ maxSize: 4_096, maxBytes: 4_096 });
  buffers.take(1).release();
  expect(buffers.keptBytes).toBe(1_024);
  const small = new BufferPool({ maxSize: 64, maxBytes: 64 });
  small.take(1).release();
  expect(small.keptBytes).toBe(64);
});
