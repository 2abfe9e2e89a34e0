export const ORDER = { customer: 'Ada', lines: [{ product: 'Tea', quantity: 2, priceCents: 450 }] };

/** What the load consists of. */
export const READ = { path: '/orders/42' };

export const WRITE = {
  method: 'POST',
  path: '/orders',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(ORDER),
};
