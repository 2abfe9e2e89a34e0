// One small chart over the last minutes, drawn as SVG with attributes that a strict content security policy allows.
import { duration, el, write } from './text.js';

const WIDTH = 300;
const HEIGHT = 64;
const SVG = 'http://www.w3.org/2000/svg';

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** Durations differ by powers of ten, and a linear scale would show only the longest. */
const LINES = [1, 10, 100, 1_000, 10_000, 100_000];

/** From 0 to 1. */
function logarithmic(most) {
  const top = Math.log10(1 + most);
  return ms => Math.log10(1 + ms) / top;
}

/**
 * @typedef {{ name: string, of: (sample: any) => number | null, area?: boolean, dashed?: boolean }} Series
 * @param {{ title: string, series: Series[], durations: boolean, said: (sample: any) => string }} what
 */
export function chart({ title, series, durations, said }) {
  const value = el('span', { class: 'value' });
  const picture = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
    class: 'plot',
  });
  const grid = svg('g', { class: 'grid' });
  picture.append(grid);
  const lines = series.map(({ area, dashed }, i) => {
    const line = svg('path', {
      class: `line line-${i}`,
      fill: 'none',
      'vector-effect': 'non-scaling-stroke',
      ...(dashed && { 'stroke-dasharray': '4 3' }),
    });
    const under = area ? svg('path', { class: `area area-${i}`, stroke: 'none' }) : undefined;
    if (under) picture.append(under);
    picture.append(line);
    return { line, under };
  });
  const scale = el('span', { class: 'scale', 'aria-hidden': 'true' });
  const key = el(
    'span',
    { class: 'key' },
    ...series.map(({ name, dashed }, i) =>
      el('span', { class: `key-${i}${dashed ? ' key-dashed' : ''}` }, name),
    ),
  );
  const figure = el(
    'figure',
    { class: 'chart' },
    el('figcaption', {}, el('span', { class: 'name' }, title), value),
    el('div', { class: 'drawing' }, picture, scale),
    el(
      'div',
      { class: 'axis', 'aria-hidden': 'true' },
      el('span', { class: 'since' }),
      key,
      el('span', {}, 'now'),
    ),
  );
  const since = figure.querySelector('.since');

  /** @param {any[]} samples the newest last @param {number} seconds that the chart is wide */
  function draw(samples, seconds) {
    const all = series.map(({ of }) => samples.map(of));
    const most = Math.max(durations ? 10 : 1, ...all.flat().map(number => number ?? 0));
    const share = durations ? logarithmic(most) : number => number / most;
    const x = i => (WIDTH * (i + 1 + seconds - samples.length)) / seconds;
    const y = number => HEIGHT - 1 - (HEIGHT - 8) * share(number);
    all.forEach((numbers, i) => {
      const runs = runsOf(numbers);
      const { line, under } = lines[i];
      line.setAttribute('d', runs.map(run => `M${points(run, x, y).join('L')}`).join(''));
      under?.setAttribute(
        'd',
        runs
          .map(
            run => `M${x(run[0][0])} ${HEIGHT}L${points(run, x, y).join('L')}L${x(run.at(-1)[0])} ${HEIGHT}Z`,
          )
          .join(''),
      );
    });
    const drawn = durations ? LINES.filter(at => at <= most) : [];
    if (grid.childElementCount !== drawn.length || grid.getAttribute('data-most') !== String(most)) {
      grid.setAttribute('data-most', String(most));
      grid.replaceChildren(
        ...drawn.map(at =>
          svg('line', { x1: 0, x2: WIDTH, y1: y(at), y2: y(at), 'vector-effect': 'non-scaling-stroke' }),
        ),
      );
    }
    const last = samples.at(-1);
    const now = last ? said(last) : '–';
    const highest = durations ? duration(most) : String(most);
    write(value, now);
    write(scale, highest);
    write(since, seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`);
    picture.setAttribute(
      'aria-label',
      `${title} over the last ${many(samples.length)}: now ${now}; the highest was ${highest}.`,
    );
  }

  return { figure, draw };
}

function many(seconds) {
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}

/** So many seconds without a number are bridged: not every lease is measured. */
const BRIDGED = 10;

/** Numbers that belong together, each with its place. */
function runsOf(numbers) {
  const runs = [];
  let last = -Infinity;
  numbers.forEach((number, i) => {
    if (number === null) return;
    if (i - last > BRIDGED) runs.push([]);
    runs.at(-1).push([i, number]);
    last = i;
  });
  return runs;
}

function points(run, x, y) {
  const ends = run.length === 1 ? [[run[0][0] - 1, run[0][1]], ...run] : run;
  return ends.map(([i, number]) => `${x(i).toFixed(1)} ${y(number).toFixed(1)}`);
}
