/** Prints a table in Markdown: names to the left, numbers to the right. */
export function table(head, rows) {
  const line = cells => `| ${cells.join(' | ')} |`;
  console.log(
    ['', line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n'),
  );
}

/** What `stats()` says of a pool that matters here. */
export function told({ idle, leased, total, totals, latency }) {
  const { acquired, waited, created, destroyedBy } = totals;
  const ms = ({ p50Ms, p99Ms }) => `p50 ${p50Ms.toPrecision(2)}, p99 ${p99Ms.toPrecision(2)} ms`;
  return (
    `total ${total}, idle ${idle}, leased ${leased}; acquired ${acquired}, waited ${waited}, created ${created}, ` +
    `destroyedBy ${JSON.stringify(destroyedBy)}; create: ${ms(latency.create)}; wait: ${ms(latency.wait)}; hold: ${ms(latency.hold)}`
  );
}
