import { createHook, type AsyncHook } from 'node:async_hooks';

/** What a TCP socket and a timer are called by Node. A socket over TLS has a plain one below it. */
const KINDS: ReadonlySet<string> = new Set(['TCPWRAP', 'Timeout']);

/** Sockets and timers that have been made since this was, and are still there: also those that keep no process alive. */
export class Leftovers {
  private readonly living = new Map<number, { kind: string; stack: string | undefined }>();
  private readonly listeners = process.eventNames().map(name => [name, process.listenerCount(name)] as const);
  private readonly hook: AsyncHook;

  constructor() {
    this.hook = createHook({
      init: (id, kind) => {
        if (KINDS.has(kind)) this.living.set(id, { kind, stack: new Error(kind).stack });
      },
      destroy: id => {
        this.living.delete(id);
      },
    }).enable();
  }

  /** No more are counted, but their ends are still seen. */
  async found(): Promise<string[]> {
    // Their ends are told a turn of the event loop later.
    for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve));
    const grown = process.eventNames().filter(name => {
      const [, before = 0] = this.listeners.find(([known]) => known === name) ?? [];
      return process.listenerCount(name) > before;
    });
    return [
      ...Array.from(this.living.values(), ({ kind, stack }) => `${kind}: ${stack ?? ''}`),
      ...grown.map(name => `a listener of process: ${String(name)}`),
    ];
  }

  [Symbol.dispose](): void {
    this.hook.disable();
  }
}
