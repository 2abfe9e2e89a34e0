import { Dispatcher } from 'undici';
import { CONTEXT, type CallContext, type PooledDispatchOptions } from './call-context.js';

/** The dispatcher of one fetch, which says of each of its dispatches (it follows redirects) what is true of all of them. */
export class OneCall extends Dispatcher {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly context: CallContext,
  ) {
    super();
  }

  override dispatch(options: PooledDispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.dispatcher.dispatch(
      { ...options, [CONTEXT]: this.context } as PooledDispatchOptions,
      handler,
    );
  }
}
