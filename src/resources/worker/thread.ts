import type { Worker } from 'node:worker_threads';
import { Call } from './call.js';
import { WorkerCrashedError } from './errors.js';
import { isTagged, tagged, type Answer, type Reply, type Request } from './protocol.js';
import { copyThrown, restoreThrown } from './thrown-copy.js';
import type { CallOptions } from './types.js';

/** What a thread has to know of its pool's options. */
export interface ThreadRules {
  /** The pool's name, for messages. */
  readonly pool: string;
  /** Milliseconds. */
  readonly stopTimeout: number;
  /** Megabytes; `Infinity` for no limit. */
  readonly maxHeapMb: number;
}

const MB = 1024 * 1024;

/** The pool's side of one worker: its calls, and how it ends. */
export class Thread {
  /** Resolves when the worker serves tasks; rejects when it has ended before. */
  readonly started: Promise<void>;
  readonly threadId: number;
  /** By their numbers. A call stays here until the worker has said that it has ended, whoever still waits for it. */
  private readonly running = new Map<number, Call>();
  private lastId = 0;
  /** Bytes in use, by the last report. */
  private heap = 0;
  private serving = false;
  /** Why nothing can be called any more. */
  private ended: WorkerCrashedError | undefined = undefined;
  private start!: { resolve: () => void; reject: (error: Error) => void };
  private whenQuiet: (() => void)[] = [];

  /** @param crashed told once, when the worker has ended after it was ready */
  constructor(
    private readonly worker: Worker,
    private readonly rules: ThreadRules,
    private readonly crashed: (error: WorkerCrashedError) => void,
  ) {
    this.threadId = worker.threadId;
    this.started = new Promise<void>((resolve, reject) => {
      this.start = { resolve, reject };
    });
    worker.on('message', message => {
      if (isTagged<Reply>(message)) this.receive(message);
    });
    worker.on('error', error => this.end(this.uncaught(error)));
    worker.on('messageerror', error => this.end(this.uncaught(error)));
    worker.on('exit', code => this.end(this.exited(code)));
    this.send({ kind: 'hello', reportHeap: rules.maxHeapMb !== Infinity });
  }

  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  call(task: string, payload: unknown, { transfer, signal }: CallOptions = {}): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return this.begin(id => this.send({ kind: 'call', id, task, payload }, transfer), signal);
  }

  /** Rejects when the worker has ended. */
  ping(): Promise<unknown> {
    return this.begin(id => this.send({ kind: 'ping', id }));
  }

  /** The borrower has gone: what it has left running is to stop. */
  abandon(why: () => Error): void {
    for (const [id, call] of this.running) this.abort(id, call, why());
  }

  /**
   * Is it fit for the next borrower? Not before everything that the last one has left running has stopped.
   *
   * @throws Error when it has ended, or has too large a heap
   */
  reset(): true | Promise<true> {
    if (this.running.size === 0) return this.fit();
    return new Promise<void>(resolve => this.whenQuiet.push(resolve)).then(() => this.fit());
  }

  /** Ends the worker, if it has not ended yet, and resolves when it is gone. */
  async terminate(): Promise<void> {
    this.end(new WorkerCrashedError('terminated', `${this.title} was terminated.`));
    await this.worker.terminate();
  }

  /** It cannot be used any more: tells everybody who waits for it, and terminates it. */
  end(error: WorkerCrashedError): void {
    if (this.ended) return;
    this.ended = error;
    for (const call of this.running.values()) call.fail(error);
    this.running.clear();
    if (this.serving) this.crashed(error);
    else this.start.reject(error);
    this.tellQuiet();
    void this.worker.terminate();
  }

  /** How messages call it. */
  get title(): string {
    return `Pool "${this.rules.pool}": worker ${this.threadId}`;
  }

  private begin(send: (id: number) => void, signal?: AbortSignal): Promise<unknown> {
    if (this.ended) return Promise.reject(this.ended);
    const id = ++this.lastId;
    try {
      send(id);
    } catch (error) {
      // A DataCloneError, or what a getter of the payload has thrown. Nothing was sent.
      return Promise.reject(error);
    }
    const call = new Call();
    this.running.set(id, call);
    if (signal) call.follow(signal, reason => this.abort(id, call, reason));
    return call.result;
  }

  private send(request: Request, list: CallOptions['transfer'] = []): void {
    this.worker.postMessage(tagged(request), list);
  }

  private abort(id: number, call: Call, reason: unknown): void {
    if (call.aborted) return;
    this.send({ kind: 'abort', id, reason: copyThrown(reason) });
    const { stopTimeout } = this.rules;
    call.abort(reason, stopTimeout, () => {
      const message =
        `${this.title} was terminated: a task did not stop within stopTimeout (${stopTimeout} ms) after it was aborted. ` +
        'Look at the signal in the task, and let it come back to the event loop, where the signal is told.';
      this.end(new WorkerCrashedError('stop-timeout', message, undefined, { cause: reason }));
    });
  }

  private receive(reply: Reply): void {
    if (this.ended) return;
    if (reply.kind !== 'ready') {
      this.answered(reply);
    } else if (!this.serving) {
      this.serving = true;
      this.start.resolve();
    }
  }

  private answered(answer: Answer): void {
    this.heap = answer.heap ?? this.heap;
    const call = this.running.get(answer.id);
    if (!call) return;
    this.running.delete(answer.id);
    if (answer.kind === 'value') call.succeed(answer.value);
    else call.throw(answer.kind === 'thrown' ? restoreThrown(answer.thrown) : undefined);
    if (this.running.size === 0) this.tellQuiet();
  }

  private fit(): true {
    if (this.ended) throw this.ended;
    const { maxHeapMb } = this.rules;
    const used = this.heap / MB;
    if (used > maxHeapMb) {
      throw new Error(
        `${this.title} uses ${Math.round(used)} MB of heap, more than maxHeapMb (${maxHeapMb}).`,
      );
    }
    return true;
  }

  private tellQuiet(): void {
    for (const callback of this.whenQuiet.splice(0)) callback();
  }

  private uncaught(error: unknown): WorkerCrashedError {
    const { code, message } = Object(error) as { code?: unknown; message?: unknown };
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
      const remedy = 'Raise resourceLimits, or give it less at a time.';
      const text = `${this.title} has run out of memory. ${remedy}`;
      return new WorkerCrashedError('out-of-memory', text, undefined, { cause: error });
    }
    const said = typeof message === 'string' ? message : String(error);
    const text = `${this.title} has ended by an error that nothing has caught: ${said}`;
    return new WorkerCrashedError('error', text, undefined, { cause: error });
  }

  private exited(code: number): WorkerCrashedError {
    const when = this.serving ? '' : ' before it served tasks: its script must call serveTasks';
    return new WorkerCrashedError('exit', `${this.title} has exited with code ${code}${when}.`, code);
  }
}
