export interface OrderLine {
  product: string;
  quantity: number;
  priceCents: number;
}

export interface NewOrder {
  customer: string;
  lines: OrderLine[];
}

export interface Order extends NewOrder {
  id: number;
  placedAt: string;
}
