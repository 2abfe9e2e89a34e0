import type { BorrowScope } from '../../scope/index.js';
import { untilIterated } from '../iterables.js';
import { GraphqlScope } from './scope.js';

/**
 * Holds the scope of a subscribe method that is an async generator until that has ended: its body runs when it is pulled, and
 * uses what was borrowed for as long as the client is subscribed. Other sources of events are made and done with.
 */
export function holdGenerator(scope: BorrowScope, value: unknown): unknown {
  if (!(scope instanceof GraphqlScope) || Object.prototype.toString.call(value) !== '[object AsyncGenerator]')
    return value;
  const drop = scope.hold();
  scope.endsUnread(untilIterated(value as AsyncGenerator)(scope, drop));
  return value;
}
