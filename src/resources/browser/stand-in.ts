import type { Seat } from './seat.js';
import type { ContextLike } from './shapes.js';

/**
 * What the pool keeps for a seat. It looks like the context that the seat has now, for the one who sees it: a borrower
 * that has detached it. All others get the context itself.
 */
export function standIn(seat: Seat): ContextLike {
  return new Proxy({} as ContextLike, {
    get: (_, key) => {
      const { context } = seat;
      const member: unknown = Reflect.get(context, key);
      return typeof member === 'function' ? (member.bind(context) as unknown) : member;
    },
    has: (_, key) => Reflect.has(seat.context, key),
    getPrototypeOf: () => Reflect.getPrototypeOf(seat.context),
  });
}
