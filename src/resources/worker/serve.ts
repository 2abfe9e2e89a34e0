import { getHeapStatistics } from 'node:v8';
import { isMainThread, parentPort, type MessagePort } from 'node:worker_threads';
import { isTagged, tagged, type Answer, type Request } from './protocol.js';
import { copyThrown, restoreThrown } from './thrown-copy.js';
import { Transferred, transfer } from './transfer.js';
import type { Task, TaskContext, TransferList } from './types.js';

type Tasks = Readonly<Record<string, Task>>;
type AnyTask = (payload: unknown, context: TaskContext) => unknown;

let serving = false;

/**
 * Serves tasks in a worker of a pool. To be called once, at the top level of the worker's script, when everything that
 * is to be warm is there: the worker is lent from then on.
 *
 * ```ts
 * const model = await loadModel();
 * export const tasks = serveTasks({
 *   score: (texts: string[], { signal }) => model.score(texts, signal),
 * });
 * export type Tasks = typeof tasks;
 * ```
 *
 * On the main thread it does nothing, so that tests can import the script and call its tasks.
 *
 * @returns the tasks, for their type
 * @throws Error when it is called a second time in a worker
 */
export function serveTasks<T extends Tasks>(tasks: T): T {
  if (isMainThread || !parentPort) return tasks;
  if (serving) throw new Error('serveTasks was called already: a worker serves one object of tasks.');
  serving = true;
  new Server(tasks, parentPort).listen();
  return tasks;
}

/** The worker's side of the calls. */
class Server {
  private readonly running = new Map<number, AbortController>();
  private reportHeap = false;

  constructor(
    private readonly tasks: Tasks,
    private readonly port: MessagePort,
  ) {}

  listen(): void {
    this.port.on('message', message => {
      if (isTagged<Request>(message)) this.receive(message);
    });
    // Nobody knows which call it was. Thrown here, it ends the worker, and all calls with it.
    this.port.on('messageerror', error => {
      throw error;
    });
  }

  private receive(request: Request): void {
    switch (request.kind) {
      case 'hello':
        this.reportHeap = request.reportHeap;
        this.port.postMessage(tagged({ kind: 'ready' }));
        break;
      case 'call':
        void this.run(request.id, request.task, request.payload);
        break;
      case 'abort':
        this.running.get(request.id)?.abort(restoreThrown(request.reason));
        break;
      case 'ping':
        this.answer({ kind: 'value', id: request.id, value: undefined });
        break;
    }
  }

  private async run(id: number, name: string, payload: unknown): Promise<void> {
    const aborter = new AbortController();
    const { signal } = aborter;
    this.running.set(id, aborter);
    let value: unknown;
    let thrown: { readonly what: unknown } | undefined;
    try {
      value = await this.task(name).call(this.tasks, payload, { signal, transfer });
    } catch (error) {
      thrown = { what: error };
    }
    this.running.delete(id);
    if (signal.aborted) this.answer({ kind: 'stopped', id });
    else if (thrown) this.answer({ kind: 'thrown', id, thrown: copyThrown(thrown.what) });
    else this.answerValue(id, value);
  }

  private task(name: string): AnyTask {
    const task: unknown = name in Object.prototype ? undefined : this.tasks[name];
    if (typeof task === 'function') return task as AnyTask;
    const known = Object.keys(this.tasks).join(', ');
    throw new TypeError(`This worker serves no task "${name}"; it serves ${known || 'none'}.`);
  }

  private answerValue(id: number, value: unknown): void {
    try {
      if (value instanceof Transferred) this.answer({ kind: 'value', id, value: value.value }, value.list);
      else this.answer({ kind: 'value', id, value });
    } catch (error) {
      // A DataCloneError, or what a getter of the value has thrown.
      this.answer({ kind: 'thrown', id, thrown: copyThrown(error) });
    }
  }

  private answer(answer: Answer, list: TransferList = []): void {
    const heap = this.reportHeap ? { heap: getHeapStatistics().used_heap_size } : {};
    this.port.postMessage(tagged({ ...answer, ...heap }), list);
  }
}
