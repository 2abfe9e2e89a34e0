import { messageOf } from '../basics/thrown.js';
import { guarded, guardedHere } from '../basics/user-code.js';
import { CHANNELS, publish, type Title } from './channels.js';
import type { PoolListener } from './listener.js';

/**
 * The listeners of a pool and the channels of the process, one function an event. Of what costs every borrow something there is
 * one only where a listener wants it: a pool pays nothing for what nobody listens to.
 */
export type Watch = { [E in keyof PoolListener]-?: Required<PoolListener>[E] | undefined };

/** What costs every borrow something when somebody listens: where it happens it is asked who does, and published. */
const COSTLY: readonly (keyof PoolListener)[] = ['onAcquire', 'onRelease', 'onWaited', 'onLeak'];

/** Who has been told already: of each listener, which of its events. */
const warned = new WeakMap<PoolListener, Set<keyof PoolListener>>();

/** What a listener throws is dropped, but not without a word: its metrics would be missing, and nobody would know why. */
function warnOnce(listener: PoolListener, event: keyof PoolListener, error: unknown): void {
  const events = warned.get(listener) ?? new Set();
  if (events.has(event)) return;
  warned.set(listener, events.add(event));
  process.emitWarning(
    `A listener of a pool has failed in ${event}: ${messageOf(error)}. What it throws is dropped; this is told once.`,
    { type: 'PoolListenerWarning', detail: error instanceof Error ? (error.stack ?? '') : '' },
  );
}

const EVENTS = [
  'onAcquire',
  'onRelease',
  'onWaited',
  'onCreate',
  'onCreateFailed',
  'onDestroy',
  'onAbandon',
  'onTimeout',
  'onRefuse',
  'onShed',
  'onLeak',
  'onLateUse',
  'onAdvice',
  'onStateChange',
] as const satisfies readonly (keyof PoolListener)[];

export function watchWith(listeners: readonly PoolListener[], title: Title): Watch {
  return Object.fromEntries(EVENTS.map(event => [event, join(listeners, event, title)])) as Watch;
}

/** Others listen from now on. */
export function rewatch(watch: Watch, listeners: readonly PoolListener[], title: Title): void {
  Object.assign(watch, watchWith(listeners, title));
}

function join<E extends keyof PoolListener>(
  listeners: readonly PoolListener[],
  event: E,
  title: Title,
): Watch[E] {
  const told = joinListeners(listeners, event);
  if (COSTLY.includes(event)) return told;
  const to = CHANNELS[event as keyof typeof CHANNELS];
  return ((data: never) => {
    told?.(data);
    publish(to, title, data);
  });
}

function joinListeners<E extends keyof PoolListener>(
  listeners: readonly PoolListener[],
  event: E,
): Watch[E] {
  const interested = listeners.filter(listener => typeof listener[event] === 'function');
  if (interested.length === 0) return undefined;
  // Its caller's context is what it is told for.
  const call = event === 'onWaited' ? guardedHere : guarded;
  return (data: never) => {
    for (const listener of interested) {
      call(
        () => (listener[event] as (data: never) => unknown).call(listener, data),
        outcome => {
          if (!outcome.ok) warnOnce(listener, event, outcome.error);
        },
      );
    }
  };
}
