import { setTimeout as pause } from 'node:timers/promises';
import type { ShopClient } from './shop-client.js';
import { Tally } from './tally.js';

const PAUSE_AFTER_FAILURE = 25;
const PATIENCE = 10_000;

interface Habit {
  people: number;
  kind: string;
  /** What to call it when the answer was the right one. */
  done: string;
  /** The right answer, default 200. */
  status?: number;
  visit: (shop: ShopClient, leaving: AbortSignal, tally: Tally) => Promise<number>;
}

const HABITS: readonly Habit[] = [
  { people: 8, kind: 'reads', done: 'answered', visit: shop => shop.read() },
  { people: 2, kind: 'reads', done: 'answered or given up', visit: shop => shop.readAndLeave() },
  { people: 6, kind: 'orders', done: 'placed', status: 201, visit: shop => shop.order() },
  { people: 1, kind: 'bad orders', done: 'refused (400)', status: 400, visit: shop => shop.orderBadly() },
  { people: 1, kind: 'exports', done: 'complete', visit: shop => shop.export() },
  { people: 1, kind: 'exports', done: 'left half-way', visit: shop => shop.exportAndLeave() },
  {
    people: 2,
    kind: 'live',
    done: 'subscriptions',
    visit: (shop, leaving, tally) =>
      shop.listen(leaving, () => {
        tally.add('live', 'orders heard of');
      }),
  },
];

/** People who use the shop all at once, and each of them again and again. */
export class Crowd {
  readonly tally = new Tally();
  /** Answers that nobody would want, by what they were. */
  readonly failures = new Set<string>();
  /** Requests that were given up, as there was neither an answer nor an end of it. */
  unanswered = 0;
  private present = 0;
  private readonly leaving = new AbortController();
  private readonly people: Promise<void>[];

  constructor(private readonly shop: ShopClient) {
    this.people = HABITS.flatMap(habit => Array.from({ length: habit.people }, () => this.live(habit)));
  }

  /** Everybody finishes what they are doing. */
  async leave(): Promise<void> {
    this.leaving.abort();
    const patience = setTimeout(() => {
      this.unanswered = this.present;
      this.shop.hangUp();
    }, PATIENCE);
    await Promise.all(this.people);
    clearTimeout(patience);
  }

  private async live({ kind, done, status = 200, visit }: Habit): Promise<void> {
    this.present++;
    while (!this.leaving.signal.aborted) {
      const answer = await visit(this.shop, this.leaving.signal, this.tally).catch(() => 'cut off' as const);
      if (answer === status) {
        this.tally.add(kind, done);
        continue;
      }
      const failure = nameOf(answer);
      this.tally.add(kind, failure);
      this.failures.add(`${kind} ${failure}`);
      await pause(PAUSE_AFTER_FAILURE);
    }
    this.present--;
  }
}

function nameOf(answer: number | 'cut off'): string {
  if (answer === 'cut off') return answer;
  return answer === 503 ? 'asked to come back later (503)' : `failed (${answer})`;
}
