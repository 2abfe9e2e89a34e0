import type { IncomingHttpHeaders } from 'node:http';
import { BorrowKeyError } from './errors.js';

/** What every request has of which a key is found; a rule may ask for its platform's own type instead. */
export interface KeyRequest {
  readonly headers: IncomingHttpHeaders;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** Finds the key of a keyed pool for one request. */
export interface KeyRule<K = unknown> {
  /**
   * Synchronous. What it throws fails the borrow: `throw new BadRequestException('which tenant?')` answers 400.
   *
   * @param request the platform's request: Express's, or Fastify's (in middleware of a Fastify application Node's own)
   */
  // A method, so that it may ask for more than the least that every request has.
  key(request: KeyRequest): K;
}

/**
 * The key with which a unit of work borrows from a keyed pool.
 *
 * @param pool its name
 * @param given the key itself, if whoever borrows knows it
 * @throws BorrowKeyError when there is none, and what the rule throws
 */
export function keyFor(pool: string, given: unknown, rule: KeyRule | undefined, request: unknown): unknown {
  if (given !== undefined)
    return checked(pool, given, 'what was named is', 'It must be one that its resources can be kept by.');
  if (!rule)
    throw new BorrowKeyError(
      pool,
      'nobody has said which',
      `Give the pool's definition a rule, \`key: request => …\`, or ${NAME_IT}`,
    );
  if (request === undefined)
    throw new BorrowKeyError(pool, 'there is no request here to find it in', `So ${NAME_IT}`);
  return checked(pool, rule.key(request as KeyRequest), 'its rule has found', ANSWER);
}

const NAME_IT = 'name the key with each borrow: `borrowed.get({ key })`.';
const ANSWER =
  "A request that may have none is answered by what the rule throws: `throw new BadRequestException('which tenant?')`.";

function checked(pool: string, key: unknown, found: string, remedy: string): unknown {
  if (key === undefined || key === null || key === '') {
    throw new BorrowKeyError(pool, `${found} ${key === '' ? 'an empty text' : String(key)}`, remedy);
  }
  if (typeof (key as { then?: unknown }).then === 'function') {
    throw new BorrowKeyError(pool, `${found} a promise, but it must be there at once`, remedy);
  }
  return key;
}
