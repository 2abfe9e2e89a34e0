import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Call, type Answer } from '../../support/http-client.js';
import type { PlannedOrder } from './plan.js';

/** What the client knows in the end. `unknown`: it was told that nobody knows; `left`: it has not waited to be told. */
export type Fate = 'placed' | 'sold out' | 'failed' | 'busy' | 'unknown' | 'left' | 'broken';

export interface Outcome {
  readonly order: PlannedOrder;
  readonly fate: Fate;
  /** Of an order that was placed. */
  readonly id?: number;
  /** What else it was told. */
  readonly answer?: string;
}

const TRIES = 30;
/** Milliseconds. */
const BETWEEN_TRIES = 150;

/** Places orders over real sockets, and leaves where it was planned. */
export class Customers implements Disposable {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(private readonly url: string) {}

  /** What was answered with 503 was not done, and is asked for again: it must not be there twice. */
  async place(order: PlannedOrder): Promise<Outcome> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.ask(order);
      if (outcome.fate !== 'busy' || tries === TRIES) return outcome;
      await pause(BETWEEN_TRIES);
    }
  }

  [Symbol.dispose](): void {
    this.agent.destroy();
  }

  private async ask(order: PlannedOrder): Promise<Outcome> {
    const { customer, lines, leavesAfter, kept } = order;
    const call = new Call(`${this.url}/orders`, {
      method: 'POST',
      agent: kept ? this.agent : false,
      body: { customer, lines },
    });
    const departure = new AbortController();
    const leave = (): void => {
      departure.abort();
      call.leave();
    };
    const timer = leavesAfter === undefined ? undefined : setTimeout(leave, leavesAfter);
    try {
      const answer = await call.answer();
      return { order, ...told(answer) };
    } catch (error) {
      return { order, fate: departure.signal.aborted ? 'left' : 'broken', answer: String(error) };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A 500 says that it was not done, unless its code says that nobody knows. */
function told({ status, body }: Answer): Omit<Outcome, 'order'> {
  const { id, code, message } = JSON.parse(body) as { id?: number; code?: string; message?: string };
  const answer = `${status} ${message ?? ''}`;
  if (status === 201 && id !== undefined) return { fate: 'placed', id };
  if (status === 400 && message?.includes('enough_in_stock')) return { fate: 'sold out', answer };
  if (status === 503) return { fate: 'busy', answer };
  if (status === 500) return { fate: code === 'TRANSACTION_OUTCOME_UNKNOWN' ? 'unknown' : 'failed', answer };
  return { fate: 'broken', answer };
}
