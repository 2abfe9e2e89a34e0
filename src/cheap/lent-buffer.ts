import { PoolMisuseError } from './errors.js';

/** What a lent buffer needs of its pool. */
export interface BufferLender {
  takeBack(memory: Buffer): void;
}

/** A buffer on loan from a {@link BufferPool}. */
export class LentBuffer {
  private view: Buffer | undefined;
  /** Forgotten with the release, so that who logs this afterwards does not log what another has written. */
  private memory: Buffer | undefined;

  /** @internal */
  constructor(
    memory: Buffer,
    size: number,
    private readonly lender: BufferLender,
  ) {
    // Always one of its own, so that nothing that a borrower puts on it is there for the next.
    this.view = memory.subarray(0, size);
    this.memory = memory;
  }

  /**
   * The bytes, exactly as many as were asked for. Do not keep it beyond `release`: nor in a stream, or in a read or write
   * that goes on.
   *
   * @throws PoolMisuseError once it is released
   */
  get buffer(): Buffer {
    if (this.view === undefined) {
      throw new PoolMisuseError(
        'BufferPool',
        'this buffer was used after its release; its bytes may be somebody else’s by now. Release it later.',
      );
    }
    return this.view;
  }

  /**
   * Gives the bytes back.
   *
   * @throws PoolMisuseError if it is released already; nothing happens then
   */
  release(): void {
    const { memory } = this;
    if (memory === undefined) {
      throw new PoolMisuseError('BufferPool', 'this buffer was released already. Release each once.');
    }
    this.view = undefined;
    this.memory = undefined;
    this.lender.takeBack(memory);
  }

  /** Releases it at the end of a block with `using`, unless that was done before. */
  [Symbol.dispose](): void {
    if (this.memory !== undefined) this.release();
  }
}
