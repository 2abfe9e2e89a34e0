import type { Logger } from '@nestjs/common';
import { messageOf, type PoolListener } from '../engine/index.js';

/** Create failures are said at once when they begin, then at most this often. */
const REPEAT_AFTER = 10_000;

/** Says what an operator must know about a pool. No resource, connection string or stack of a create gets in here. */
export function logListener(logger: Pick<Logger, 'log' | 'warn' | 'error'>): PoolListener {
  let lastSaid = -Infinity;
  let unsaid = 0;
  return {
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
    onStateChange({ pool, from, to, cause }) {
      if (to === 'unavailable') {
        logger.error(
          `Pool "${pool}" is unavailable, borrows are refused while it keeps trying: ${say(cause)}`,
        );
      } else if (from === 'unavailable' && to !== 'draining') {
        logger.log(`Pool "${pool}" has recovered`);
      } else if (to === 'draining') {
        logger.log(`Pool "${pool}" is closing`);
      } else if (to === 'closed') {
        logger.log(`Pool "${pool}" is closed`);
      }
    },
    onDestroy({ pool, slot, reason, cause, error }) {
      if (reason === 'invalid' || reason === 'fatal' || reason === 'reset-failed') {
        const why = cause === undefined ? '' : `: ${say(cause)}`;
        logger.warn(`Pool "${pool}": resource ${slot} was destroyed, reason "${reason}"${why}`);
      }
      if (error !== undefined)
        logger.warn(`Pool "${pool}": destroying resource ${slot} failed: ${say(error)}`);
    },
    onAbandon({ pool, slot, stage, limitMs }) {
      logger.error(
        `Pool "${pool}": the ${stage} of resource ${slot} has not settled within ${limitMs} ms and is given up; ` +
          'until it settles there may be more resources than max',
      );
    },
    onLeak({ pool, slot, limit, heldMs, stack, returned }) {
      const resource = `Pool "${pool}": resource ${slot}`;
      const time = heldMs === undefined ? 'an unknown time' : `${Math.round(heldMs)} ms`;
      const where = stack === '' ? 'Set leakThreshold to learn where it was acquired.' : stack;
      if (returned) logger.log(`${resource} did come back, after ${time}`);
      else if (limit === 'close')
        logger.warn(
          `${resource} was not back at the end of close(), held for ${time}, and is destroyed. ${where}`,
        );
      else logger.warn(`${resource} has been held for ${time}. ${where}`);
    },
    onLateUse({ pool, slot, use, stack, releasedAt }) {
      logger.warn(
        `Pool "${pool}": resource ${slot} was used (${use}) after its lease had ended. ${stack}\nIt had ended here: ${releasedAt}`,
      );
    },
  };
}

function say(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  return `${error.name}${typeof code === 'string' ? ` [${code}]` : ''}: ${messageOf(error)}`;
}
