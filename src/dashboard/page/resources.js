// The resources of a pool as they are, a cell each. What is drawn is told in words beside it.
import { el, many, write } from './text.js';

/** By the letter that the server sends: the state, and the sign that tells it without its colour. */
const STATES = {
  l: ['leased', ''],
  i: ['idle', ''],
  c: ['creating', '+'],
  v: ['validating', 'v'],
  p: ['preparing', 'p'],
  r: ['resetting', 'r'],
  x: ['closing', '×'],
  a: ['abandoned', '?'],
};

export function resources() {
  const cells = el('div', { class: 'cells', role: 'img' });
  const more = el('p', { class: 'more' });
  const counts = new Map();
  const legend = el('ul', { class: 'legend' });
  for (const [letter, [state, sign]] of Object.entries(STATES)) {
    const count = el('b', {}, '0');
    const item = el(
      'li',
      {},
      el('span', { class: `cell cell-${letter}`, 'aria-hidden': 'true' }, sign),
      count,
      ` ${state}`,
    );
    counts.set(state, { count, item });
    legend.append(item);
  }
  const section = el('section', { class: 'resources' }, el('h3', {}, 'Resources'), cells, more, legend);
  let drawn = '';

  function update(now) {
    const leaking = new Set(now.holders.filter(one => one.leak).map(one => one.slot));
    const picture = `${now.cells}${now.slots.join()}${[...leaking].join()}`;
    if (picture !== drawn) draw(now, leaking);
    drawn = picture;
    for (const [state, { count, item }] of counts) {
      write(count, String(now.counts[state]));
      item.classList.toggle('none', now.counts[state] === 0);
    }
    const all = Object.values(now.counts).reduce((sum, count) => sum + count, 0);
    cells.classList.toggle('none', all === 0);
    write(more, all > now.cells.length ? `and ${many(all - now.cells.length, 'more', 'more')}` : '');
    const parts = [...counts.keys()].filter(state => now.counts[state] > 0);
    cells.setAttribute(
      'aria-label',
      all === 0 ? 'No resources' : parts.map(state => `${now.counts[state]} ${state}`).join(', '),
    );
  }

  function draw({ cells: letters, slots }, leaking) {
    while (cells.childElementCount > letters.length) cells.lastElementChild.remove();
    while (cells.childElementCount < letters.length) cells.append(el('span'));
    [...letters].forEach((letter, i) => {
      const [state, sign] = STATES[letter];
      const leaks = letter === 'l' && leaking.has(slots[i]);
      const cell = cells.children[i];
      cell.className = `cell cell-${letter}${leaks ? ' cell-leak' : ''}`;
      cell.title = `#${slots[i]} ${leaks ? 'held for too long' : state}`;
      write(cell, leaks ? '!' : sign);
    });
  }

  return { section, update };
}
