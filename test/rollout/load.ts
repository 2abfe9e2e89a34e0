import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('load-process.mjs', import.meta.url));

/** Options of autocannon. */
export interface LoadOptions {
  url: string;
  connections: number;
  /** Requests in a second, over all connections. Default: each connection sends the next when it has its answer. */
  overallRate?: number;
  /** Seconds until a request counts as lost. Default 10. */
  timeout?: number;
  /** Sent in turn by each connection. */
  requests: readonly { method?: string; path: string; headers?: Record<string, string>; body?: string }[];
}

/** Autocannon's result, and what load-process.mjs has counted besides. */
export interface LoadResult {
  '2xx': number;
  non2xx: number;
  /** Connections that failed, and `timeouts`. */
  errors: number;
  timeouts: number;
  statusCodeStats: Record<string, { count: number }>;
  /** Of answers that succeeded, in milliseconds. */
  latency: { max: number };
  unanswered: number;
  unavailableWithoutRetryAfter: number;
}

/** Autocannon, from the start until it is told to stop. */
export class Load implements AsyncDisposable {
  private readonly child: ChildProcess;

  constructor(options: LoadOptions) {
    this.child = fork(SCRIPT, [JSON.stringify(options)], { execArgv: [] });
  }

  async stop(): Promise<LoadResult> {
    const said = once(this.child, 'message') as Promise<[LoadResult]>;
    const ended = once(this.child, 'exit').then(([code]) => {
      throw new Error(`autocannon ended with ${String(code)} and without a result`);
    });
    this.child.send('stop');
    const [result] = await Promise.race([said, ended]);
    await ended.catch(() => undefined);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}
