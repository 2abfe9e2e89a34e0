import { THEMES } from './cases/index.js';
import type { Theme } from './cases/case.js';
import { ABILITIES, type Ability, type Driver } from './driver.js';
import { DRIVERS } from './drivers/index.js';

const CELLS = { all: '✓', some: 'partly', none: '–' } as const;

/** What the cases show of each transport, as Markdown. Drivers of one transport on several platforms share a column. */
export function matrix(): string {
  const columns = new Map<string, Driver>();
  for (const driver of DRIVERS) {
    const name = driver.name.split(',')[0]!;
    if (!columns.has(name)) columns.set(name, driver);
  }
  const drivers = [...columns.values()];
  const rows = THEMES.map(theme => [theme.promise, ...drivers.map(driver => CELLS[coverage(theme, driver)])]);
  const lacks = (Object.keys(ABILITIES) as Ability[])
    .map(ability => ({ ability, without: [...columns].filter(([, { can }]) => !can.includes(ability)) }))
    .filter(({ without }) => without.length > 0)
    .map(
      ({ ability, without }) => `- ${ABILITIES[ability]}: not ${without.map(([name]) => name).join(', ')}`,
    );
  return [
    table([['promise', ...columns.keys()], ...rows]),
    '',
    'What a transport has not:',
    '',
    ...lacks,
  ].join('\n');
}

function coverage({ cases }: Theme, { can }: Driver): keyof typeof CELLS {
  const run = cases.filter(({ needs = [] }) => needs.every(need => can.includes(need))).length;
  return run === cases.length ? 'all' : run > 0 ? 'some' : 'none';
}

/** As Prettier writes it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map(row => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const [head, ...body] = rows.map(line);
  return [head, line(widths.map(width => '-'.repeat(width))), ...body].join('\n');
}
