import { AsyncLocalStorage } from 'node:async_hooks';
import type { BorrowScope } from './borrow-scope.js';
import type { Place, Running } from './transact.js';
import type { WholeTransaction } from './whole-transaction.js';
import { selfOf } from './shared-resources.js';

/** What is to be known of the transaction that some code runs in, by all that is called from there. */
export interface Frame {
  readonly scope: BorrowScope;
  /** Which pool it is about; of a keyed one, with which key. */
  readonly pool: object;
  readonly key: unknown;
  /** Undefined where code runs outside of a transaction on purpose. */
  readonly running: Running<unknown> | undefined;
  /** Is it the transaction of everybody in the scope? Then it is found there. */
  readonly whole: boolean;
  /** The work has settled that the frame was made for, or its transaction is lost. */
  readonly over: boolean;
  readonly outer: Frame | undefined;
}

const storage = new AsyncLocalStorage<Frame>();

/** The frame that this code runs in, of one scope and one pool. */
export function frameOf(scope: BorrowScope, pool: object, key: unknown): Frame | undefined {
  let frame = storage.getStore();
  while (frame && !(frame.scope === scope && frame.pool === pool && frame.key === key)) frame = frame.outer;
  return frame;
}

/**
 * The key with which a method or a block runs in a transaction of a keyed pool, or outside of one: who is called from there and
 * names no key means that one.
 */
export function keyHere(scope: BorrowScope, pool: object): unknown {
  let frame = storage.getStore();
  while (frame && !(frame.scope === scope && frame.pool === pool && !frame.whole)) frame = frame.outer;
  return frame?.key;
}

/** To whom the innermost transaction around this code has been lent a resource for itself; undefined where none has. */
export function ownerHere(scope: BorrowScope): object | undefined {
  let frame = storage.getStore();
  while (frame && (frame.scope !== scope || frame.over || !frame.running?.owner)) frame = frame.outer;
  return frame?.running?.owner;
}

/** Runs work in a frame. */
export async function inFrame<T, R>(
  { scope, pool, key }: Place<T>,
  running: Running<T> | undefined,
  work: () => R | PromiseLike<R>,
): Promise<R> {
  const outer = storage.getStore();
  const frame = { scope, pool: selfOf(pool), key, running, whole: false, over: false, outer };
  try {
    return await storage.run<Promise<R> | R | PromiseLike<R>, []>(frame, () =>
      running ? running.transaction.run(work) : work(),
    );
  } finally {
    frame.over = true;
  }
}

/** Runs the work of those who have joined transactions of everybody, as a part of each of them. */
export function inWholes<R>(wholes: readonly WholeTransaction[], work: () => Promise<R>): Promise<R> {
  const [whole, ...others] = wholes;
  return whole ? inWhole(whole, () => inWholes(others, work)) : work();
}

async function inWhole<R>(whole: WholeTransaction, work: () => Promise<R>): Promise<R> {
  const { scope, pool, key } = whole.place;
  const { transaction } = await whole.running;
  const frame: Frame = {
    scope,
    pool: selfOf(pool),
    key,
    running: undefined,
    whole: true,
    get over() {
      return whole.doomed;
    },
    outer: storage.getStore(),
  };
  return storage.run(frame, () => transaction.run(work));
}
