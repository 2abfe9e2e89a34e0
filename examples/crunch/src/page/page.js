/* global document, EventSource */
const find = id => document.getElementById(id);
const number = new Intl.NumberFormat('en');

const BUSY = 'No worker was free in time, or the connection was lost. Try again.';

find('start').addEventListener('submit', event => {
  event.preventDefault();
  count(find('n').valueAsNumber);
});

/** One job: its progress, until there is a result. Who stops it frees its worker. */
function count(n) {
  const job = element('li');
  const bar = element('progress');
  bar.max = 100;
  bar.value = 0;
  const said = element('span', `up to ${number.format(n)}: waiting for a worker`);
  said.role = 'status';
  const stop = element('button', 'Stop');
  job.append(bar, said, stop);
  find('jobs').prepend(job);

  const events = new EventSource(`primes/${n}`);
  // Closed in any case: an EventSource would connect again, and start the work anew.
  const end = text => {
    events.close();
    stop.remove();
    said.textContent = text;
  };
  const on = (type, listener) => events.addEventListener(type, ({ data }) => listener(JSON.parse(data)));
  on('progress', ({ percent, upTo, primes }) => {
    bar.value = percent;
    said.textContent = `${number.format(primes)} up to ${number.format(upTo)}`;
  });
  on('result', ({ primes }) => {
    bar.value = 100;
    end(`${number.format(primes)} primes up to ${number.format(n)}`);
  });
  on('failed', ({ message }) => end(message));
  events.addEventListener('error', () => end(BUSY));
  stop.addEventListener('click', () => end('stopped'));
}

find('draw').addEventListener('click', () => {
  const picture = find('picture');
  find('drawn').textContent = 'drawing';
  picture.onload = () => {
    picture.hidden = false;
    picture.alt = 'The Mandelbrot set';
    find('drawn').textContent = '';
  };
  picture.onerror = () => (find('drawn').textContent = BUSY);
  // A number that the server does not look at, so that the browser asks again.
  picture.src = `mandelbrot/1600?${Date.now()}`;
});

const SHOWN = ['max', 'total', 'leased', 'idle', 'resetting', 'waiting'];

async function showStats() {
  try {
    const stats = await (await fetch('stats')).json();
    const rows = [...SHOWN.map(name => [name, stats[name]]), ['lent so far', stats.totals.acquired]];
    const cells = rows.flatMap(([name, value]) => [element('dt', name), element('dd', number.format(value))]);
    find('stats').replaceChildren(...cells);
  } catch {
    find('stats').replaceChildren(element('dt', 'no answer'));
  }
  setTimeout(showStats, 500);
}

function element(name, text = '') {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

void showStats();
