import { OURS } from './pools.mjs';

const number = value =>
  value === undefined
    ? ''
    : value >= 100
      ? Math.round(value).toLocaleString('en')
      : String(Number(value.toPrecision(3)));

/** The rows of one table of a workload: everybody's median, where half of the samples lie, and how it compares. */
export function rowsOf(results, table) {
  const { unit } = results.workload.tables[table];
  const names = results.names(table);
  const reference = names.find(name => name.startsWith(OURS)) ?? names[0];
  const rows = names.map(name => {
    const [low, high] = results.spread(table, name);
    const value = results.value(table, name);
    return {
      name,
      value: `${number(value)}${unit ? ` ${unit}` : ''}`,
      spread: low === high ? '' : `${number(low)} … ${number(high)}`,
      ratio: name === reference || value === 0 ? '' : `${number(results.ratio(table, name, reference))} ×`,
    };
  });
  for (const name of results.tooSlow)
    rows.push({
      name,
      value: `more than ${results.workload.apart.patience / 1000} s`,
      spread: '',
      ratio: '',
    });
  return rows;
}

export const targetRow = ({ text, limit, is, holds }) =>
  `${holds ? 'holds ' : 'MISSED'}  ${text}: ${number(is)} (${limit})`;

export { number };

/** As it is printed while the benchmark runs. */
export function printed(results) {
  const lines = [];
  for (const [table, { title }] of Object.entries(results.workload.tables)) {
    if (title) lines.push(`  ${title}`);
    for (const { name, value, spread, ratio } of rowsOf(results, table)) {
      lines.push(`    ${name.padEnd(40)} ${value.padStart(20)}  ${spread.padStart(22)}  ${ratio}`);
    }
  }
  for (const target of results.targets()) lines.push(`  ${targetRow(target)}`);
  return `${lines.join('\n')}\n`;
}
