import { constants } from 'node:buffer';
import { count, type Rule } from '../engine/options/rules.js';
import { LentBuffer } from './lent-buffer.js';
import { checkOptions, flag, inDevelopment, required, wrongOption } from './options.js';

/** What a {@link BufferPool} is told. Sizes are in bytes. */
export interface BufferPoolOptions {
  /** The smallest size that is kept, a power of two; what is smaller gets a part of it. Default 1024. */
  minSize?: number;
  /** The largest size that is kept, a power of two; what is larger is made anew, and never kept. */
  maxSize: number;
  /**
   * How many bytes are kept at most, of all sizes together, while nobody uses them. There is no bound on how many are
   * taken. At least `maxSize`.
   */
  maxBytes: number;
  /**
   * Overwrites with zeroes what is given back, all of it, and begins with zeroes: nobody sees what another has written.
   * Default true. With false `take` gives whatever was there before, also from elsewhere in the process: then never send
   * more than you have written.
   */
  zero?: boolean;
  /**
   * Ends all views of a buffer when it is released: one that somebody has kept is empty from then on, where it would
   * otherwise read and overwrite what the next one has. Costs about a microsecond for each release. Default: true, unless
   * NODE_ENV is `production` when the pool is made.
   */
  debug?: boolean;
}

/** The largest size that can be kept: 1 GiB. */
const LARGEST = 2 ** 30;
const DEFAULT_MIN_SIZE = 1_024;
const powerOfTwo: Rule = {
  ok: value =>
    typeof value === 'number' && value >= 1 && value <= LARGEST && Number.isInteger(Math.log2(value)),
  allowed: `a power of two from 1 to ${LARGEST}`,
};

/** The memory of one size that is kept, the last on top. */
interface SizeClass {
  readonly size: number;
  readonly kept: Buffer[];
  /** When it was asked for last, by the count of takes. */
  askedAt: number;
}

/**
 * Buffers that are used again. Each is a view, exactly as long as asked for, of memory whose size is the next power of two.
 *
 * ```ts
 * const buffers = new BufferPool({ maxSize: 1_048_576, maxBytes: 16 * 1_048_576 });
 * using lent = buffers.take(10_000);
 * const { bytesRead } = await file.read(lent.buffer);
 * ```
 *
 * The memory is never a part of what `Buffer.allocUnsafe` shares among all its users: `buffer.buffer` reaches what
 * belongs to this one only. What is never released is left to the garbage collector.
 *
 * When there is no room for what is released, the sizes that were asked for least recently make room.
 *
 * Does it pay? With large buffers: see docs/cheap-pools.md.
 */
export class BufferPool {
  private readonly classes: readonly SizeClass[];
  private readonly minSize: number;
  private readonly maxSize: number;
  private readonly maxBytes: number;
  private readonly zero: boolean;
  private readonly debug: boolean;
  private bytes = 0;
  private takes = 0;

  /** @throws PoolOptionsError naming the option that is wrong, and what is allowed */
  constructor(options: BufferPoolOptions) {
    checkOptions('BufferPool', options, {
      minSize: powerOfTwo,
      maxSize: required(powerOfTwo),
      maxBytes: required(count(1)),
      zero: flag,
      debug: flag,
    });
    const { maxSize, maxBytes, zero = true, debug = inDevelopment() } = options;
    const { minSize = Math.min(DEFAULT_MIN_SIZE, maxSize) } = options;
    if (minSize > maxSize) {
      throw wrongOption('BufferPool', 'minSize', minSize, `at most maxSize, which is ${maxSize}`);
    }
    if (maxBytes < maxSize) {
      throw wrongOption('BufferPool', 'maxBytes', maxBytes, `at least maxSize, which is ${maxSize}`);
    }
    this.minSize = minSize;
    this.maxSize = maxSize;
    this.maxBytes = maxBytes;
    this.zero = zero;
    this.debug = debug;
    this.classes = Array.from({ length: Math.log2(maxSize / minSize) + 1 }, (_, i) => ({
      size: minSize * 2 ** i,
      kept: [],
      askedAt: 0,
    }));
  }

  /** How many bytes are kept, ready to be taken. */
  get keptBytes(): number {
    return this.bytes;
  }

  /**
   * A buffer of exactly this many bytes.
   *
   * @throws PoolOptionsError if the size is no whole number from 0 to the largest that Node.js can make
   * @throws RangeError if there is not enough memory
   */
  take(size: number): LentBuffer {
    if (!Number.isInteger(size) || size < 0 || size > constants.MAX_LENGTH) {
      throw wrongOption('BufferPool', 'size', size, `a whole number from 0 to ${constants.MAX_LENGTH}`);
    }
    if (size > this.maxSize) return new LentBuffer(this.allocate(size), size, this);
    const its = this.classOf(size);
    its.askedAt = ++this.takes;
    const memory = its.kept.pop();
    if (memory === undefined) return new LentBuffer(this.allocate(its.size), size, this);
    this.bytes -= its.size;
    return new LentBuffer(memory, size, this);
  }

  /** @internal Called once for each buffer, when it is released. */
  takeBack(memory: Buffer): void {
    // Its borrower has transferred it to somebody else.
    if (memory.length === 0) return;
    const own = this.debug ? withoutViews(memory) : memory;
    if (own.length > this.maxSize) return;
    const its = this.classOf(own.length);
    if (!this.makeRoom(its)) return;
    // Not before it is known to be kept: what is dropped nobody sees.
    if (this.zero) own.fill(0);
    its.kept.push(own);
    this.bytes += its.size;
  }

  /** Neither of these takes from the memory that Node.js shares among small buffers. */
  private allocate(size: number): Buffer {
    return this.zero ? Buffer.alloc(size) : Buffer.allocUnsafeSlow(size);
  }

  private classOf(size: number): SizeClass {
    return this.classes[size <= this.minSize ? 0 : Math.ceil(Math.log2(size / this.minSize))]!;
  }

  private makeRoom(forOne: SizeClass): boolean {
    while (this.bytes + forOne.size > this.maxBytes) {
      const oldest = this.oldestKept();
      if (oldest === undefined || oldest.askedAt >= forOne.askedAt) return false;
      oldest.kept.pop();
      this.bytes -= oldest.size;
    }
    return true;
  }

  private oldestKept(): SizeClass | undefined {
    let oldest: SizeClass | undefined;
    for (const one of this.classes) {
      if (one.kept.length > 0 && (oldest === undefined || one.askedAt < oldest.askedAt)) oldest = one;
    }
    return oldest;
  }
}

/** Moves the bytes to an owner of their own, which costs no copy: whoever looks at them from before sees none. */
function withoutViews(memory: Buffer): Buffer {
  const { buffer } = memory;
  return Buffer.from(structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }));
}
