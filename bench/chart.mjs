// The chart of docs/performance.md: what a borrow costs in each pool, on a logarithmic scale.
import { LIMIT, OURS } from './pools.mjs';
import { number } from './tables.mjs';

const PANELS = [
  { name: 'idle', title: 'one idle resource' },
  { name: 'crowded', title: '900 of 1,000 borrowed' },
  { name: 'contended', title: '200 workers on 10' },
];
const ROW = 22;
const LABELS = 130;
const BARS = 430;
const MARGIN = 16;
/** Nanoseconds at the left and right ends of the bars. */
const FROM = 30;
const TO = 30_000;

const x = ns => (BARS * Math.log(Math.max(ns, FROM) / FROM)) / Math.log(TO / FROM);

export function chart(all) {
  let y = MARGIN;
  const parts = [];
  for (const { name, title } of PANELS) {
    const results = all.find(({ workload }) => workload.name === name);
    if (!results) continue;
    y += 20;
    parts.push(`<text class="title" x="${MARGIN}" y="${y}">${title}</text>`);
    y += 8;
    const names = results
      .names('plain')
      .sort((a, b) => results.value('plain', a) - results.value('plain', b));
    for (const contender of names) {
      const ns = results.value('plain', contender);
      const kind = contender === OURS ? 'ours' : contender === LIMIT ? 'limit' : 'peer';
      const middle = y + ROW / 2 + 4;
      parts.push(
        `<text class="label" x="${MARGIN + LABELS - 8}" y="${middle}" text-anchor="end">${contender}</text>`,
        `<rect class="${kind}" x="${MARGIN + LABELS}" y="${y + 3}" width="${x(ns).toFixed(1)}" height="${ROW - 6}" rx="2"/>`,
        `<text class="label" x="${(MARGIN + LABELS + x(ns) + 6).toFixed(1)}" y="${middle}">${number(ns)} ns</text>`,
      );
      y += ROW;
    }
    y += 12;
  }
  const width = 2 * MARGIN + LABELS + BARS + 70;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + MARGIN}" role="img" aria-label="What acquire and release cost in each pool">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.ours { fill: #d6336c } .peer { fill: #8c959f } .limit { fill: #2da44e }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #f06595 } .peer { fill: #6e7681 } .limit { fill: #3fb950 } }
</style>
${parts.join('\n')}
</svg>
`;
}
