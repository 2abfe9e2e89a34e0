import { randomFrom } from '../../support/random.js';

export const ARTICLES = ['Bench', 'Chair', 'Desk', 'Stool'] as const;

export interface Line {
  readonly product: string;
  readonly quantity: number;
  readonly priceCents: number;
}

/** One order, as it was planned before it is known how it will go. */
export interface PlannedOrder {
  /** Nobody else's: the order is found again by it, and found out if it is there twice. */
  readonly customer: string;
  readonly lines: readonly Line[];
  /** Milliseconds after which its client leaves, if it does. */
  readonly leavesAfter: number | undefined;
  /** On a connection that was used before and will be again. */
  readonly kept: boolean;
}

/** The same for the same seed. */
export function planOrders(orders: number, seed: number): PlannedOrder[] {
  const random = randomFrom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  return Array.from({ length: orders }, (_, n) => ({
    customer: `storm ${seed}, order ${n}`,
    // The same article may be there twice.
    lines: Array.from({ length: 1 + below(3) }, () => ({
      product: ARTICLES[below(ARTICLES.length)]!,
      quantity: 1 + below(5),
      priceCents: 100 * below(100),
    })),
    leavesAfter: random() < 0.15 ? below(40) : undefined,
    kept: random() < 0.7,
  }));
}

/** Less than is ordered, so that in the end orders are refused half-way. */
export function stockFor(plan: readonly PlannedOrder[]): Map<string, number> {
  const wanted = new Map<string, number>(ARTICLES.map(article => [article, 0]));
  for (const { lines } of plan) {
    for (const { product, quantity } of lines) wanted.set(product, wanted.get(product)! + quantity);
  }
  return new Map(Array.from(wanted, ([article, quantity]) => [article, Math.floor(quantity * 0.5)]));
}
