export interface OrderLine {
  product: string;
  quantity: number;
  priceCents: number;
}

export function byProduct(a: OrderLine, b: OrderLine): number {
  if (a.product === b.product) return 0;
  return a.product < b.product ? -1 : 1;
}

export interface NewOrder {
  customer: string;
  lines: OrderLine[];
}

export interface Order extends NewOrder {
  id: number;
  placedAt: string;
}
