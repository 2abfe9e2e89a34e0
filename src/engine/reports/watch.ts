import { guarded } from '../basics/user-code.js';
import type { PoolListener } from './listener.js';

/** The listeners of a pool, one function an event, or none: a pool pays nothing for an event nobody listens to. */
export type Watch = { readonly [E in keyof PoolListener]-?: Required<PoolListener>[E] | undefined };

export function watchWith(listeners: readonly PoolListener[]): Watch {
  const join = <E extends keyof PoolListener>(event: E): Watch[E] => {
    const interested = listeners.filter(listener => typeof listener[event] === 'function');
    if (interested.length === 0) return undefined;
    return (data: never) => {
      for (const listener of interested) {
        guarded(
          () => (listener[event] as (data: never) => unknown).call(listener, data),
          () => undefined,
        );
      }
    };
  };
  return {
    onAcquire: join('onAcquire'),
    onRelease: join('onRelease'),
    onCreate: join('onCreate'),
    onCreateFailed: join('onCreateFailed'),
    onDestroy: join('onDestroy'),
    onAbandon: join('onAbandon'),
    onTimeout: join('onTimeout'),
    onShed: join('onShed'),
    onLeak: join('onLeak'),
    onLateUse: join('onLateUse'),
    onStateChange: join('onStateChange'),
  };
}
