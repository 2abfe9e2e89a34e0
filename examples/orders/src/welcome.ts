/** What to say once the shop is open. */
export function welcome(url: string, database: string): string {
  const order = '{"customer":"Ada","lines":[{"product":"Tea","quantity":2,"priceCents":450}]}';
  return `
The shop is open at ${url}
Its orders are in ${database}.
What its pools do is seen live at ${url}/ops/pools, and by Prometheus at ${url}/metrics.

Try

  curl ${url}/orders/42
  curl ${url}/orders -H 'content-type: application/json' -d '${order}'
  curl ${url}/orders/export | head -3
  curl -N ${url}/orders/live
  curl ${url}/health/ready
  curl ${url}/pools

Ctrl-C stops it: requests in flight finish, then the connections are closed.
`;
}
