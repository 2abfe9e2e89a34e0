import { channel, tracingChannel, type Channel } from 'node:diagnostics_channel';
import type { Asked } from './asked.js';
import type { PoolListener } from './listener.js';

/**
 * What happens in the pools of a process, for tools that know none of them: `node:diagnostics_channel`. Nothing is made or
 * published for a channel that nobody has subscribed to.
 */

/** What a pool is called, and of the pool of a key: that of all of them, and the key. */
export interface Title {
  readonly pool: string;
  /** The key as text, cut short where it is long; undefined where there are none. */
  readonly key: string | undefined;
}

/** What is published of each event of a listener that has a channel: the event, with the {@link Title} of its pool. */
export type ChannelMessage<E> = Omit<E, 'pool'> & Title;

/** The context of the tracing channel `nestjs-pool:acquire`: one object for all that is published of one acquire. */
export interface AcquireContext extends Title, Asked {
  /** Milliseconds in the queue; from `asyncEnd`, or `error`, on. */
  waitedMs?: number;
  /** The number of the resource in its pool; from `asyncEnd` on. */
  slot?: number;
  /** Why it has failed; from `error` on. */
  error?: unknown;
  /** The lease; from `asyncEnd` on. */
  result?: unknown;
}

/** `tracing:nestjs-pool:acquire:start` and so on, around `acquire()` and, without the asynchronous part, `tryAcquire()`. */
export const acquires = tracingChannel<AcquireContext>('nestjs-pool:acquire');

/** `nestjs-pool:open`: a pool has been made. By key: the whole, never the pool of a key. */
export const opened = channel('nestjs-pool:open');

/** The channels, by the event of a listener that they publish. */
export const CHANNELS = {
  onRelease: channel('nestjs-pool:release'),
  onCreate: channel('nestjs-pool:create'),
  onCreateFailed: channel('nestjs-pool:create-failed'),
  onDestroy: channel('nestjs-pool:destroy'),
  onAbandon: channel('nestjs-pool:abandon'),
  onTimeout: channel('nestjs-pool:timeout'),
  onRefuse: channel('nestjs-pool:refuse'),
  onShed: channel('nestjs-pool:shed'),
  onLeak: channel('nestjs-pool:leak'),
  onLateUse: channel('nestjs-pool:late-use'),
  onAdvice: channel('nestjs-pool:advice'),
  onStateChange: channel('nestjs-pool:state'),
} as const satisfies Partial<Record<keyof PoolListener, Channel>>;

export function publish(to: Channel, { pool, key }: Title, event: object): void {
  if (to.hasSubscribers) to.publish({ ...event, pool, key });
}
