// One pool: what is the matter with it, and what it looks like.
import { chart } from './chart.js';
import { advice, events, holders, waiters } from './lists.js';
import { resources } from './resources.js';
import { duration, el, write } from './text.js';

/** In a word, for those who see no colour. */
const LEVELS = {
  well: 'Well',
  busy: 'Busy',
  held: 'Held',
  slow: 'Slow',
  dead: 'Dead',
  unsure: 'Unsure',
  starting: 'Starting',
  suspended: 'Suspended',
  closing: 'Closing',
};

function charts() {
  return [
    chart({
      title: 'In use',
      durations: false,
      series: [
        { name: 'in use', of: sample => sample.leased, area: true },
        { name: 'max', of: sample => sample.max, dashed: true },
        { name: 'waiting', of: sample => sample.waiting },
      ],
      said: ({ leased, max, waiting }) => `${leased} of ${max}${waiting > 0 ? `, ${waiting} waiting` : ''}`,
    }),
    chart({
      title: 'Waits',
      durations: true,
      series: [
        { name: '95 of 100', of: sample => sample.waitMs, area: true },
        {
          name: 'waiting now',
          of: sample => (sample.waiting > 0 ? sample.oldestWaitMs : null),
          dashed: true,
        },
      ],
      said: ({ waitMs, waiting, oldestWaitMs }) =>
        waiting > 0 ? `${duration(oldestWaitMs)} so far` : waitMs === null ? 'none' : duration(waitMs),
    }),
    chart({
      title: 'Holds',
      durations: true,
      series: [
        { name: 'half', of: sample => sample.holdMs, area: true },
        { name: 'held now', of: sample => (sample.leased > 0 ? sample.longestHeldMs : null), dashed: true },
      ],
      said: ({ holdMs, leased, longestHeldMs }) =>
        leased > 0 ? `${duration(longestHeldMs)} so far` : holdMs === null ? 'none' : duration(holdMs),
    }),
  ];
}

/**
 * @param {{ name: string, target: string, keyed: boolean }} pool
 * @param {string} id
 * @param {HTMLElement | undefined} buttons
 */
export function card({ name, target, keyed }, id, buttons) {
  const state = el('p', { class: 'state' });
  const heading = el('h2', { id: `${id}-name`, tabindex: '-1' }, name);
  const limits = el('span', { class: 'limits' });
  const level = el('span', { class: 'level' });
  const title = el('strong');
  const text = el('p', { class: 'verdict-text' });
  const next = el('p', { class: 'verdict-next' });
  const verdict = el(
    'div',
    { class: 'verdict' },
    el('p', { class: 'verdict-title' }, level, title),
    text,
    next,
  );
  const drawn = charts();
  const parts = {
    cells: resources(),
    holders: holders(name),
    waiters: waiters(),
    events: events(),
    advice: advice(),
  };
  const lists = el(
    'div',
    { class: 'lists' },
    parts.holders.section,
    parts.waiters.section,
    parts.events.section,
  );
  const article = el(
    'article',
    { class: 'card', id, 'aria-labelledby': `${id}-name` },
    el(
      'header',
      {},
      el('div', { class: 'names' }, heading, el('p', { class: 'target' }, target, ' ', limits)),
      state,
      ...(buttons ? [buttons] : []),
    ),
    verdict,
    el('div', { class: 'charts' }, ...drawn.map(({ figure }) => figure)),
    parts.cells.section,
    parts.advice.section,
    lists,
  );

  function update(now) {
    const { diagnosis } = now;
    article.dataset.verdict = diagnosis.verdict;
    article.dataset.state = now.state;
    write(state, `State: ${now.state}`);
    write(limits, keyed ? `${now.keys} keys, at most ${now.max} each` : `min ${now.min}, max ${now.max}`);
    write(level, LEVELS[diagnosis.verdict]);
    write(title, diagnosis.title);
    write(text, diagnosis.text);
    write(next, diagnosis.next);
    parts.cells.update(now);
    parts.holders.update(now);
    parts.waiters.update(now);
    parts.advice.update(now);
    if (now.holders.length + now.waiters.length > 0) lists.classList.add('used');
  }

  return {
    article,
    update,
    draw: (samples, seconds) => drawn.forEach(one => one.draw(samples, seconds)),
    tell: happened => {
      parts.events.add(happened);
      if (happened.length > 0) lists.classList.add('used');
    },
  };
}
