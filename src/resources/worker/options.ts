import { isAbsolute } from 'node:path';
import { SHARE_ENV, type ResourceLimits, type WorkerOptions } from 'node:worker_threads';
import type { PoolSettings, ResourceFactory, SessionHooks } from '../../engine/index.js';
import { checkOwn } from '../../engine/options/own.js';
import { duration, isObject, type Rule } from '../../engine/options/rules.js';
import type { ThreadOptions } from './start.js';
import type { PooledWorker, TasksOf } from './types.js';

/** The settings of a pool, and beside them what a worker is made of. All durations are milliseconds. */
export interface WorkerPoolOptions<Tasks extends TasksOf<Tasks>>
  extends PoolSettings, SessionHooks<PooledWorker<Tasks>> {
  /**
   * The file that a worker runs, which calls `serveTasks`: a URL, as `new URL('./crunch.worker.js', import.meta.url)`, or a
   * path that is absolute or begins with `./` or `../`, which is taken from the directory that the process was started in.
   */
  script: URL | string;
  /** What the script finds as `workerData` of `node:worker_threads`; each worker gets a clone of it. Default none. */
  workerData?: unknown;
  /** Limits of memory, as Node has them. A worker that reaches them ends with `out-of-memory`. Default: those of Node. */
  resourceLimits?: ResourceLimits;
  /** The environment of the workers, or `SHARE_ENV`. Default: each has a copy of that of the process. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV;
  /** Options of Node, such as `['--import=tsx']`. Default: those of the process. */
  execArgv?: string[];
  /**
   * How long a worker may take to load its script and to call `serveTasks`; then it is terminated, and the pool tries
   * again. Default 10 000. `createTimeout` is above it.
   */
  startTimeout?: number;
  /**
   * How long a task may take to stop once it was aborted, by the signal of its call or by the end of the lease; then its
   * worker is terminated and replaced. Default 1 000.
   */
  stopTimeout?: number;
  /**
   * A worker that comes back with a larger heap is destroyed, reason `reset-failed`, and replaced. Megabytes of JavaScript's
   * heap, as the worker measures it after each task; what is not collected yet counts, and buffers do not. Default off.
   */
  maxHeapMb?: number;
  /** Does this error of a borrower mean that its worker must be destroyed? One that has ended is so in any case. */
  isFatal?: ResourceFactory<PooledWorker<Tasks>>['isFatal'];
}

const DEFAULT_START_TIMEOUT = 10_000;
const DEFAULT_STOP_TIMEOUT = 1_000;
/** The engine's own. */
const DEFAULT_RESET_TIMEOUT = 5_000;

const isNumber = (value: unknown): value is number => typeof value === 'number';

const LIMITS: Readonly<Record<keyof ResourceLimits, true>> = {
  maxYoungGenerationSizeMb: true,
  maxOldGenerationSizeMb: true,
  codeRangeSizeMb: true,
  stackSizeMb: true,
};

const RULES: Readonly<Record<string, Rule>> = {
  script: {
    required: true,
    ok: isScript,
    allowed: 'a URL of a file, or a path that is absolute or begins with ./ or ../',
  },
  resourceLimits: {
    ok: isLimits,
    allowed: `an object of numbers > 0: ${Object.keys(LIMITS).join(', ')}`,
  },
  env: {
    ok: value => value === SHARE_ENV || isObject(value),
    allowed: 'an object of strings, or SHARE_ENV',
  },
  execArgv: {
    ok: value => Array.isArray(value) && value.every(one => typeof one === 'string'),
    allowed: 'an array of strings',
  },
  startTimeout: duration(1),
  stopTimeout: duration(),
  maxHeapMb: {
    ok: value => isNumber(value) && value > 0,
    allowed: 'megabytes > 0, or Infinity',
  },
  isFatal: {
    ok: value => typeof value === 'function',
    allowed: 'a function of an error and a worker',
  },
};

/**
 * Tells what is the pool's from what is the workers', and checks the latter.
 *
 * @throws PoolOptionsError naming the option, its value and what is allowed
 */
export function split<Tasks extends TasksOf<Tasks>>(
  given: WorkerPoolOptions<Tasks>,
): {
  readonly settings: PoolSettings;
  readonly thread: ThreadOptions;
  readonly isFatal: WorkerPoolOptions<Tasks>['isFatal'];
} {
  const {
    script,
    workerData,
    resourceLimits,
    env,
    execArgv,
    isFatal,
    startTimeout = DEFAULT_START_TIMEOUT,
    stopTimeout = DEFAULT_STOP_TIMEOUT,
    maxHeapMb = Infinity,
    ...others
  } = given;
  const { name: pool = 'pool' } = others;
  const own = { script, resourceLimits, env, execArgv, startTimeout, stopTimeout, maxHeapMb, isFatal };
  checkOwn(pool, `Pool "${pool}"`, own, RULES);
  // What is undefined would be checked by Node as if it were given.
  const node = Object.fromEntries(
    Object.entries({ workerData, resourceLimits, env, execArgv }).filter(([, value]) => value !== undefined),
  ) as WorkerOptions;
  // A reset waits for tasks to stop.
  const resetTimeout = others.resetTimeout ?? Math.max(DEFAULT_RESET_TIMEOUT, 2 * stopTimeout);
  return {
    settings: { ...others, resetTimeout },
    thread: { pool, script: asUrl(script), node, startTimeout, stopTimeout, maxHeapMb },
    isFatal,
  };
}

function isScript(value: unknown): boolean {
  // A URL of another realm is one, too.
  if (isObject(value)) return (value as Partial<URL>).protocol === 'file:';
  return typeof value === 'string' && (isAbsolute(value) || /^(\.\.?[/\\]|file:\/\/)/.test(value));
}

/** Node takes URLs as objects only. */
function asUrl(script: URL | string): URL | string {
  return typeof script === 'string' && script.startsWith('file:') ? new URL(script) : script;
}

function isLimits(value: unknown): boolean {
  return (
    isObject(value) &&
    Object.entries(value).every(
      ([key, limit]) => Object.hasOwn(LIMITS, key) && (limit === undefined || (isNumber(limit) && limit > 0)),
    )
  );
}
