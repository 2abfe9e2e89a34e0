// Who holds, who waits, and what has happened. Each is of a fixed height, so that nothing below it jumps.
import { duration, el, listOf, many, timeOfDay, write } from './text.js';

/** A list that scrolls, and can be reached with the keyboard for that. */
function scrolling(title, ...content) {
  return el('div', { class: 'scrolling', role: 'group', tabindex: '0', 'aria-label': title }, ...content);
}

function unfolding(stack) {
  return el('details', {}, el('summary', {}, 'Stack'), el('pre', {}, stack));
}

function whoOf({ who, key }) {
  return `${who ?? 'somebody'}${key === undefined ? '' : ` · ${key}`}`;
}

function table(title, columns, none) {
  const body = el('tbody');
  const head = el('tr', {}, ...columns.map(column => el('th', { scope: 'col' }, column)));
  const rows = el('table', {}, el('caption', { class: 'unseen' }, title), el('thead', {}, head), body);
  const empty = el('p', { class: 'nothing' }, none);
  const more = el('p', { class: 'more' });
  const count = el('span', { class: 'count' });
  const section = el('section', {}, el('h3', {}, title, ' ', count), scrolling(title, rows, empty, more));
  function show(shown, all) {
    rows.hidden = shown === 0;
    empty.hidden = shown > 0;
    write(count, all > 0 ? String(all) : '');
    write(more, all > shown ? `and ${many(all - shown, 'more', 'more')}` : '');
  }
  return { section, body, show };
}

export function holders(/** @type {string} */ pool) {
  const { section, body, show } = table('Who holds what', ['For', 'Who', 'No.'], 'Nobody holds anything.');
  section.dataset.list = 'holders';
  const keyOf = one => `${one.key ?? ''} ${one.slot} ${one.who ?? ''}`;
  function make(one) {
    const who = el('td', { class: 'who' }, el('span', {}, whoOf(one)), el('span', { class: 'badge' }));
    return el('tr', {}, el('td', { class: 'number' }), who, el('td', { class: 'number' }, `#${one.slot}`));
  }
  function change(row, one) {
    write(row.firstElementChild, duration(one.ms));
    write(row.querySelector('.badge'), one.leak ? ' held for too long' : '');
    const stack = row.querySelector('details');
    // It is known only of those who hold longest, or became known after it had been drawn.
    if (one.stack && !stack) row.querySelector('.who').append(unfolding(one.stack));
    // Where the one that holds longest is a leak, its stack is what somebody has come for.
    if (one.leak && !row.classList.contains('leak') && row === body.firstElementChild) {
      row.querySelector('details')?.setAttribute('open', '');
    }
    row.classList.toggle('leak', one.leak === true);
  }
  return {
    section,
    update: now => {
      listOf(body, now.holders, keyOf, make, change);
      show(now.holders.length, now.counts.leased);
    },
    pool,
  };
}

export function waiters() {
  const { section, body, show } = table('Who waits', ['For', 'Who'], 'Nobody waits.');
  section.dataset.list = 'waiters';
  return {
    section,
    update: now => {
      // They come and go, and one is as good as another: the first row is whoever has waited longest.
      const numbered = now.waiters.map((one, i) => ({ ...one, i: String(i) }));
      listOf(
        body,
        numbered,
        one => one.i,
        () => el('tr', {}, el('td', { class: 'number' }), el('td', { class: 'who' })),
        (row, one) => {
          write(row.firstElementChild, duration(one.ms));
          write(row.lastElementChild, `${whoOf(one)}${one.priority ? ` (priority ${one.priority})` : ''}`);
        },
      );
      show(numbered.length, now.waiting);
    },
  };
}

/** So many are kept in the page. */
const KEPT = 60;

const KINDS = {
  destroy: 'End',
  failure: 'Failure',
  leak: 'Leak',
  state: 'State',
  advice: 'Advice',
  load: 'Load',
  action: 'Action',
};

export function events() {
  const list = el('ol', { class: 'events' });
  const empty = el('p', { class: 'nothing' }, 'Nothing has happened yet.');
  const title = 'What has happened';
  const section = el('section', {}, el('h3', {}, title), scrolling(title, list, empty));
  section.dataset.list = 'events';
  return {
    section,
    add: happened => {
      for (const { at, kind, text, stack } of happened) {
        const item = el(
          'li',
          { class: `event event-${kind}` },
          el('time', { datetime: new Date(at).toISOString() }, timeOfDay(at)),
          el('span', { class: 'kind' }, KINDS[kind] ?? kind),
          el('span', { class: 'what' }, text),
        );
        if (stack) item.append(unfolding(stack));
        list.prepend(item);
      }
      while (list.childElementCount > KEPT) list.lastElementChild.remove();
      empty.hidden = list.childElementCount > 0;
    },
  };
}

export function advice() {
  const list = el('ul');
  const section = el('section', { class: 'advice' }, el('h3', {}, 'Advice'), list);
  section.dataset.list = 'advice';
  return {
    section,
    update: now => {
      section.hidden = now.advice.length === 0;
      listOf(
        list,
        now.advice.map((text, i) => ({ text, i: String(i) })),
        one => one.i,
        () => el('li'),
        (item, one) => write(item, one.text),
      );
    },
  };
}
