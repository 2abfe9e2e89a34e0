import type { Logger } from '@nestjs/common';
import { KeyedPool, describeStats, messageOf, type PoolListener } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';

/** Create failures are said at once when they begin, then at most this often. */
const REPEAT_AFTER = 10_000;

/** Of idle connections that either side closes as it likes: nothing is wrong, and there are many of them. */
const USUAL = 'HTTP_CONNECTION_CLOSED';

/** Says what an operator must know about a pool. No resource, connection string or stack of a create gets in here. */
export function logListener(
  logger: Pick<Logger, 'log' | 'warn' | 'error'>,
  pool?: () => AnyPool<unknown> | undefined,
): PoolListener {
  let lastSaid = -Infinity;
  let unsaid = 0;
  const exhausted = sayExhausted(logger, pool);
  /** When pools were said to be unavailable of late: those of a key may come and go with each borrow. */
  const down = new Map<string, number>();
  return {
    onTimeout: ({ pool: name, at, waitedMs }) => {
      exhausted(name, at, `a borrow has timed out after ${Math.round(waitedMs)} ms`);
    },
    onShed: ({ pool: name, at, waitedMs }) => {
      exhausted(name, at, `a borrow was shed after ${Math.round(waitedMs)} ms`);
    },
    onRefuse: ({ pool: name, at, code }) => {
      // The others are said when the state changes.
      if (code === 'POOL_QUEUE_FULL') exhausted(name, at, 'a borrow was refused, as the queue is full');
    },
    onCreateFailed({ pool, at, error, attempt, retryInMs }) {
      if (attempt > 1 && at - lastSaid < REPEAT_AFTER) {
        unsaid++;
        return;
      }
      const more = unsaid > 0 ? ` (${unsaid} more since the last message)` : '';
      logger.warn(
        `Pool "${pool}": create failed, attempt ${attempt}, next in ${Math.ceil(retryInMs)} ms: ${say(error)}${more}`,
      );
      lastSaid = at;
      unsaid = 0;
    },
    onStateChange({ pool, at, from, to, cause }) {
      if (to === 'unavailable') {
        for (const [name, since] of down) if (at - since >= REPEAT_AFTER) down.delete(name);
        if (down.has(pool)) return;
        down.set(pool, at);
        logger.error(
          `Pool "${pool}" is unavailable, borrows are refused while it keeps trying: ${say(cause)}`,
        );
      } else if (from === 'unavailable' && to !== 'draining') {
        down.delete(pool);
        logger.log(`Pool "${pool}" has recovered`);
      } else if (to === 'draining') {
        logger.log(`Pool "${pool}" is closing`);
      } else if (to === 'closed') {
        logger.log(`Pool "${pool}" is closed`);
      }
    },
    onDestroy({ pool, slot, reason, cause, error }) {
      const usual = (cause as { code?: unknown } | undefined)?.code === USUAL;
      if (!usual && (reason === 'invalid' || reason === 'fatal' || reason === 'reset-failed')) {
        const why = cause === undefined ? '' : `: ${say(cause)}`;
        logger.warn(`Pool "${pool}": resource ${slot} was destroyed, reason "${reason}"${why}`);
      }
      if (error !== undefined)
        logger.warn(`Pool "${pool}": destroying resource ${slot} failed: ${say(error)}`);
    },
    onAbandon({ pool, slot, stage, ranMs, limitMs, reason }) {
      const why = {
        limit: `its limit is ${Math.round(limitMs)} ms`,
        place: `before its limit of ${Math.round(limitMs)} ms, as another one needs its place`,
        closed: 'as the pool is closed',
      }[reason];
      logger.error(
        `Pool "${pool}": the ${stage} of resource ${slot} has not settled in ${Math.round(ranMs)} ms and is given up, ${why}; ` +
          'until it settles there may be more resources than max',
      );
    },
    onLeak({ pool, slot, limit, heldMs, stack, owner, returned }) {
      const borrower = owner === undefined ? '' : `, borrowed by ${owner},`;
      const resource = `Pool "${pool}": resource ${slot}${borrower}`;
      const time = heldMs === undefined ? 'an unknown time' : `${Math.round(heldMs)} ms`;
      const where = stack === '' ? 'Set leakThreshold to learn where it was acquired.' : stack;
      if (returned) logger.log(`${resource} did come back, after ${time}`);
      else if (limit === 'close')
        logger.warn(
          `${resource} was not back at the end of close(), held for ${time}, and is destroyed. ${where}`,
        );
      else logger.warn(`${resource} has been held for ${time}. ${where}`);
    },
    onAdvice({ pool, advice }) {
      logger.warn(`Pool "${pool}": ${advice.text}`);
    },
    onLateUse({ pool, slot, use, stack, releasedAt }) {
      logger.warn(
        `Pool "${pool}": resource ${slot} was used (${use}) after its lease had ended. ${stack}\nIt had ended here: ${releasedAt}`,
      );
    },
  };
}

/** So many of those who hold are named. */
const NAMED = 3;

/** Those who wait in vain are told so, and their callers with them; the operator is told once in a while. */
function sayExhausted(
  logger: Pick<Logger, 'warn'>,
  pool: (() => AnyPool<unknown> | undefined) | undefined,
): (name: string, at: number, what: string) => void {
  let lastSaid = -Infinity;
  let unsaid = 0;
  return (name, at, what) => {
    if (at - lastSaid < REPEAT_AFTER) {
      unsaid++;
      return;
    }
    const more = unsaid > 0 ? `, and ${unsaid} more since the last message` : '';
    logger.warn(`Pool "${name}": ${what}${more}${describe(pool?.())}`);
    lastSaid = at;
    unsaid = 0;
  };
}

function describe(pool: AnyPool<unknown> | undefined): string {
  if (!pool) return '';
  if (pool instanceof KeyedPool) {
    const { leased, waiting, keys, maxTotal } = pool.stats();
    return ` (${leased} leased of maxTotal ${maxTotal}, ${waiting} waiting, ${keys} keys)`;
  }
  const counts = ` (${describeStats(pool.stats())})`;
  const holders = pool.holders();
  const known = holders.some(({ stack, owner }) => stack !== undefined || owner !== undefined);
  const hint = known || holders.length === 0 ? '' : '. Set leakThreshold to learn who holds them.';
  const held = holders.slice(0, NAMED).map(({ slot, heldMs, stack, owner }) => {
    const borrower = owner === undefined ? '' : `, borrowed by ${owner}`;
    const place = stack === undefined ? undefined : placeOf(stack);
    const where = place === undefined ? '' : borrower === '' ? `, borrowed ${place}` : ` ${place}`;
    return `resource ${slot} for ${Math.round(heldMs)} ms${borrower}${where}`;
  });
  return held.length === 0 ? counts : `${counts}. Held longest: ${held.join('; ')}${hint}`;
}

/** Of a stack the first line of the application's own; there is none where a parameter is borrowed. */
function placeOf(stack: string): string | undefined {
  const lines = stack.split('\n').slice(1);
  const notTheirs =
    /[\\/](node_modules|dist[\\/]lib)[\\/]|[\\/]src[\\/](engine|scope|transports|module)[\\/]|\bnode:/;
  // One of the runtime's own (`Array.map (<anonymous>)`) has no path.
  return lines.find(line => /[\\/]/.test(line) && !notTheirs.test(line))?.trim();
}

function say(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return `${error.name}${typeof code === 'string' ? ` [${code}]` : ''}: ${messageOf(error)}`;
}
