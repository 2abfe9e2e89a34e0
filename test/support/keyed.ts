import {
  KeyedPool,
  type DestroyReason,
  type KeyedCreateContext,
  type KeyedPoolOptions,
} from '../../src/engine/index.js';
import { ManualClock } from './manual-clock.js';

/** A resource that knows whose it is. */
export interface Link {
  readonly key: string;
  readonly id: number;
}

/** A keyed pool, what was made for which key, and what was destroyed for what reason, in order. */
export function keyed(options: Partial<KeyedPoolOptions<string, Link>> = {}): {
  pools: KeyedPool<string, Link>;
  clock: ManualClock;
  made: string[];
  ended: [string, DestroyReason][];
} {
  const clock = new ManualClock();
  const made: string[] = [];
  const ended: [string, DestroyReason][] = [];
  const pools = new KeyedPool<string, Link>({
    name: 'links',
    maxTotal: 2,
    clock,
    create: ({ key }: KeyedCreateContext<string>) => ({ key, id: made.push(key) }),
    destroy: ({ key }: Link, reason: DestroyReason) => void ended.push([key, reason]),
    ...options,
  } as KeyedPoolOptions<string, Link>);
  return { pools, clock, made, ended };
}
