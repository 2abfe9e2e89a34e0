import { Readable } from 'node:stream';
import type { Stage } from '../stage.js';
import type { Thing } from './thing.js';

export const CHUNK = 64 * 1024;
export const CHUNKS = 200;

/** What a body comes from. It closes only when the test opens "source", and says when it has: "closed". */
export interface SourceOptions {
  readonly stage: Stage;
  readonly thing: Thing;
  /** The chunk in place of which it fails. */
  readonly failsAt: number;
}

export class StagedSource extends Readable {
  private sent = 0;

  constructor(private readonly options: SourceOptions) {
    super();
    this.once('close', () => {
      options.stage.note('closed');
    });
  }

  override _read(): void {
    this.options.thing.use();
    if (this.sent === this.options.failsAt) this.destroy(new Error('broken source'));
    else this.push(this.sent++ < CHUNKS ? Buffer.alloc(CHUNK, 'x') : null);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    void this.options.stage.pass('source').then(() => {
      this.options.thing.use();
      done(error);
    });
  }
}

export async function* stagedGenerator(options: SourceOptions): AsyncGenerator<Buffer> {
  try {
    for (let i = 0; i < CHUNKS; i++) {
      options.thing.use();
      if (i === options.failsAt) throw new Error('broken source');
      yield Buffer.alloc(CHUNK, 'x');
      await new Promise(resolve => setImmediate(resolve));
    }
  } finally {
    await close(options);
  }
}

/** One chunk that no socket takes at once. */
export async function* hugeGenerator(options: SourceOptions): AsyncGenerator<Buffer> {
  try {
    yield Buffer.alloc(20_000_000, 'x');
  } finally {
    await close(options);
  }
}

export function stagedWebStream(options: SourceOptions): ReadableStream<Uint8Array> {
  let sent = 0;
  let pulling = Promise.resolve();
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    options.thing.use();
    await new Promise(resolve => setImmediate(resolve));
    if (sent !== options.failsAt && sent++ < CHUNKS) {
      controller.enqueue(new Uint8Array(CHUNK).fill(120));
      return;
    }
    await close(options);
    if (sent === options.failsAt) throw new Error('broken source');
    controller.close();
  };
  return new ReadableStream({
    pull: controller => (pulling = pull(controller)),
    // A stream that is cancelled does not wait for a pull that is still running; only its source can.
    cancel: async () => {
      await pulling.catch(() => undefined);
      await close(options);
    },
  });
}

async function close({ stage, thing }: SourceOptions): Promise<void> {
  await stage.pass('source');
  thing.use();
  stage.note('closed');
}
