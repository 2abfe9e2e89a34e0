// The page: what the server tells once a second, as a card for each pool.
import { buttonsOf } from './actions.js';
import { card } from './card.js';
import { connect } from './connection.js';
import { el, many, write } from './text.js';

const here = document;
const part = id => here.getElementById(id);

/** Of each pool its card, its samples, and what was known last. */
let pools = [];
/** What the last full picture said of all. */
let common = { boot: undefined, seconds: 300, fields: [], token: undefined };
/** Which process was seen before this one, if one was. */
let before;

const STATUS = {
  live: 'Live',
  lost: 'Connection lost. What is below is old; trying again…',
  stopping: 'The application is stopping. What is below is old; trying again…',
};

connect(new URL('events', import.meta.url), {
  full(picture) {
    const isOther = common.boot !== undefined && common.boot !== picture.boot;
    if (isOther) before = common.process;
    common = picture;
    const isElsewhere = before !== undefined && before !== common.process;
    write(part('process'), isElsewhere ? `${common.process}, before: ${before}` : common.process);
    here.title = picture.title;
    write(part('title'), picture.title);
    const known = pools;
    // What another process has told is no past of this one.
    const isSame =
      !isOther &&
      known.length === picture.pools.length &&
      known.every(({ name }, i) => name === picture.pools[i].name);
    // The same cards, so that what is focused stays so.
    pools = isSame ? known : picture.pools.map(make);
    picture.pools.forEach((told, i) => {
      const pool = pools[i];
      pool.samples = told.samples.map(unpack);
      // Those that are there already are not told twice.
      pool.card.tell(told.events.filter(({ at }) => at > pool.toldUntil));
      pool.toldUntil = Math.max(pool.toldUntil, ...told.events.map(({ at }) => at));
      renew(pool, told.now);
    });
    if (!isSame) part('cards').replaceChildren(...pools.map(({ card }) => card.article));
    const { unread } = picture;
    part('empty').hidden = pools.length + unread.length > 0;
    part('unread').hidden = unread.length === 0;
    write(
      part('unread'),
      `Cannot be read: ${unread.join(', ')}. A warning in the log of the application says why.`,
    );
    overview();
    if (isOther) {
      announce(
        isElsewhere
          ? `This is another process of the application now: ${common.process}. What is shown begins anew.`
          : 'The application was started anew.',
      );
    }
  },
  tick({ pools: told }) {
    told.forEach(({ sample, events, now }, i) => {
      const pool = pools[i];
      if (!pool) return;
      pool.samples.push(unpack(sample));
      pool.samples.splice(0, pool.samples.length - common.seconds);
      if (events) {
        pool.card.tell(events);
        pool.toldUntil = Math.max(pool.toldUntil, ...events.map(({ at }) => at));
      }
      renew(pool, now ?? pool.now);
    });
    overview();
  },
  status(status) {
    const element = part('connection');
    element.dataset.connection = status;
    here.body.dataset.connection = status;
    write(element, STATUS[status]);
  },
});

function make(told, i) {
  const pool = {
    name: told.name,
    samples: [],
    now: told.now,
    toldUntil: 0,
    said: undefined,
    about: undefined,
  };
  const buttons = common.token === undefined ? undefined : buttonsOf(told, () => pool.now, send);
  pool.card = card(told, `pool-${i}`, buttons);
  return pool;
}

function unpack(numbers) {
  return Object.fromEntries(common.fields.map((field, i) => [field, numbers[i]]));
}

function renew(pool, now) {
  pool.now = now;
  pool.card.update(now);
  // What has just begun would be a speck in five minutes.
  pool.card.draw(pool.samples, Math.min(common.seconds, Math.max(60, pool.samples.length)));
  const { title } = now.diagnosis;
  // Only what has stayed for a second is worth an interruption.
  if (title === pool.about && title !== pool.said) {
    if (pool.said !== undefined) announce(`${pool.name}: ${title}`);
    pool.said = title;
  }
  pool.about = title;
}

/** Where there are several, all of them in a line each. */
function overview() {
  const nav = part('overview');
  nav.hidden = pools.length < 2;
  if (nav.hidden) return;
  if (nav.childElementCount !== pools.length) {
    nav.replaceChildren(
      ...pools.map((pool, i) =>
        el('a', { href: `#pool-${i}` }, el('span', { class: 'level' }), el('b', {}, pool.name), el('span')),
      ),
    );
  }
  pools.forEach(({ now, card: { article } }, i) => {
    const link = nav.children[i];
    link.dataset.verdict = article.dataset.verdict;
    write(link.firstElementChild, article.querySelector('.level').textContent);
    write(
      link.lastElementChild,
      `${now.counts.leased} of ${now.maxTotal ?? now.max} in use${now.waiting > 0 ? `, ${many(now.waiting, 'waits', 'wait')}` : ''}`,
    );
  });
}

function announce(text) {
  write(part('announcer'), text);
}

/** @returns what is wrong, if something is */
async function send(wish) {
  try {
    const response = await fetch(new URL('actions', import.meta.url), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Pool-Token': common.token },
      body: JSON.stringify(wish),
    });
    if (response.ok) {
      announce((await response.json()).done);
      return undefined;
    }
    const { error, message } = await response.json().catch(() => ({}));
    return error ?? message ?? `Refused: ${response.status}`;
  } catch {
    return 'The application cannot be reached.';
  }
}
