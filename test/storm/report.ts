import type { RoundResult } from './storm.js';

const number = (value: number): string => value.toLocaleString('en');
const counts = (map: ReadonlyMap<string | number, number>): string =>
  [...map]
    .sort(([a], [b]) => String(a).localeCompare(String(b)))
    .map(([what, count]) => `${what}: ${number(count)}`)
    .join(', ');

/** A round as a table. */
export function describeRound(title: string, round: RoundResult, heap: number | undefined): string {
  const { tally, stats } = round;
  const rows: [string, string][] = [
    ['requests', `${number(tally.sent)} in ${round.seconds.toFixed(1)} s`],
    ['answered', counts(tally.answered)],
    ['left', counts(tally.left)],
    ['broken off', `${number(tally.broken)} bodies whose source had failed`],
    [
      'leases',
      `${number(round.acquired)} given, ${number(round.released)} back; ${number(round.aborted)} left the queue; ` +
        `${stats.leased} leased, ${stats.waiting} waiting`,
    ],
    [
      'backends',
      `${number(round.killed)} killed; connections destroyed: ${counts(round.destroyed)}; ` +
        `${stats.total} in the pool, ${round.backends} at the server`,
    ],
    ['transfers', `${counts(round.transfers)}; ${number(round.refusals)} refused`],
    ['too late', `${number(round.careless)} statements, ${number(round.refused)} of them refused`],
    ['listeners', number(round.listeners)],
  ];
  if (heap !== undefined) rows.push(['heap', `${(heap / 2 ** 20).toFixed(2)} MB`]);
  return [title, ...rows.map(([what, text]) => `  ${what.padEnd(12)}${text}`)].join('\n');
}
