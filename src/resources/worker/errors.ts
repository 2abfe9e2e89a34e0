/** How a worker has ended. */
export type WorkerEnd =
  /** An error that nothing has caught: thrown in a timer or by its script, or a rejection that nobody handles. */
  | 'error'
  /** It has ended itself: `process.exit()`, or nothing was left for it to do. */
  | 'exit'
  /** It has reached its `resourceLimits`. */
  | 'out-of-memory'
  /** It did not serve tasks within `startTimeout`. */
  | 'start-timeout'
  /** A task did not stop within `stopTimeout` after it was aborted, and the worker was terminated. */
  | 'stop-timeout'
  /** It was terminated on purpose: destroyed by its pool, or by `terminate()`. */
  | 'terminated';

/**
 * A worker has ended, and all calls that it had with it. Whether their tasks have run is not known. The pool replaces it.
 * `cause` is the error that has ended it, where there is one.
 */
export class WorkerCrashedError extends Error {
  readonly code = 'WORKER_CRASHED';
  override readonly name = 'WorkerCrashedError';

  /** @internal */
  constructor(
    /** How it has ended. */
    readonly end: WorkerEnd,
    message: string,
    /** With `exit`: the exit code. */
    readonly exitCode?: number,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Codes of errors of Node that time does not cure: no such file, or options that no worker can be made with. */
const HOPELESS = new Set([
  ...['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_WORKER_PATH', 'ERR_UNKNOWN_FILE_EXTENSION'],
  ...['ERR_WORKER_INVALID_EXEC_ARGV', 'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'],
]);
const HOPELESS_NAMES = new Set(['SyntaxError', 'DataCloneError']);

/** Is making a worker again pointless until somebody changes something? */
export function isHopeless(error: unknown): boolean {
  const { code, name, cause } = Object(error) as { code?: unknown; name?: unknown; cause?: unknown };
  if (error instanceof WorkerCrashedError) return cause !== undefined && isHopeless(cause);
  return HOPELESS.has(code as string) || HOPELESS_NAMES.has(name as string);
}
