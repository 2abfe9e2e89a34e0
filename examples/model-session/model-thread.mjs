import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A session in a thread of its own. One run at a time: lend it to one borrower at a time. */
export class ModelThread {
  /** Resolves when the session is open and has had its first run. */
  static async open(data, { signal, invalidate }) {
    const worker = new Worker(new URL('thread.mjs', import.meta.url), { workerData: data });
    // A thread that ends by itself is no use to the next borrower.
    worker.on('exit', invalidate);
    try {
      // Rejects with what the thread has thrown, too.
      await once(worker, 'message', { signal });
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    worker.on('error', invalidate);
    return new ModelThread(worker);
  }

  constructor(worker) {
    this.worker = worker;
    this.exited = new Promise(resolve => worker.once('exit', resolve));
  }

  /** @throws ThreadEndedError when the thread ends before it has answered */
  async run(input) {
    const over = new AbortController();
    const { signal } = over;
    try {
      this.worker.postMessage(input);
      const [answer] = await Promise.race([
        once(this.worker, 'message', { signal }),
        once(this.worker, 'exit', { signal }),
      ]);
      // The code of its exit is a number.
      if (typeof answer === 'number') throw new ThreadEndedError();
      if (answer.refused !== undefined) throw new TypeError(answer.refused);
      return answer.output;
    } finally {
      over.abort();
    }
  }

  async close() {
    this.worker.postMessage('close');
    await this.exited;
  }
}

export class ThreadEndedError extends Error {
  name = 'ThreadEndedError';
  message = 'The thread of the model has ended';
}

/** Options for a pool of such threads: `sessions × threads` is best no more than the cores. */
export function modelThreads({ sessions, ...data }) {
  return {
    name: 'model',
    create: context => ModelThread.open(data, context),
    destroy: thread => thread.close(),
    isFatal: error => error instanceof ThreadEndedError,
    // A model is loaded when the application starts, not with the first request of each thread.
    min: sessions,
    max: sessions,
    // It does not age, and costs seconds to make.
    maxLifetime: Infinity,
    // Loading takes all cores, and the disk: one after the other.
    createConcurrency: 1,
  };
}
