import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { CreateContext } from '../../engine/index.js';
import { after } from './call.js';
import { WorkerCrashedError } from './errors.js';
import { Thread, type ThreadRules } from './thread.js';

/** What a worker is made of. */
export interface ThreadOptions extends ThreadRules {
  readonly script: URL | string;
  readonly node: WorkerOptions;
  /** Milliseconds. */
  readonly startTimeout: number;
}

/**
 * Starts a worker, and waits until it serves tasks. A failure leaves no thread behind; an abort rejects with the reason
 * of the signal.
 */
export async function startThread(options: ThreadOptions, context: CreateContext): Promise<Thread> {
  const { signal, invalidate, slot } = context;
  const { pool, script, node, startTimeout } = options;
  signal.throwIfAborted();
  const worker = new Worker(script, { ...node, name: `${pool} ${slot}` });
  const thread = new Thread(worker, options, invalidate);
  const timer = after(startTimeout, () => thread.end(tooSlow(thread, startTimeout)));
  const giveUp = (): void => void thread.terminate();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await thread.started;
    signal.throwIfAborted();
    return thread;
  } catch (error) {
    await thread.terminate();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

function tooSlow(thread: Thread, startTimeout: number): WorkerCrashedError {
  const message =
    `${thread.title} did not serve tasks within startTimeout (${startTimeout} ms): its script hangs, is slow to load, or ` +
    'does not call serveTasks.';
  return new WorkerCrashedError('start-timeout', message);
}
