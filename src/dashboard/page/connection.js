// The stream of events, for as long as the page is open: it says when it is lost, and comes back by itself.

/** Milliseconds. There is an event a second: after so many without one, the connection is as good as gone. */
const SILENCE = 5_000;
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 10_000;

/**
 * @param {URL} url
 * @param {{ full: (data: any) => void, tick: (data: any) => void, status: (status: 'live' | 'lost' | 'stopping') => void }} on
 */
export function connect(url, on) {
  let source;
  let watchdog;
  let retry = FIRST_RETRY;

  function open() {
    source = new EventSource(url);
    listen();
    source.addEventListener('full', event => receive(() => on.full(JSON.parse(event.data))));
    source.addEventListener('tick', event => receive(() => on.tick(JSON.parse(event.data))));
    source.addEventListener('bye', () => again('stopping'));
    // The browser would try again by itself, but not after an answer that is no stream, such as a proxy's 502.
    source.addEventListener('error', () => again('lost'));
  }

  function listen() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => again('lost'), SILENCE);
  }

  function receive(take) {
    listen();
    retry = FIRST_RETRY;
    take();
    on.status('live');
  }

  function again(status) {
    source.close();
    clearTimeout(watchdog);
    on.status(status);
    setTimeout(open, retry);
    retry = Math.min(LONGEST_RETRY, retry * 1.5);
  }

  open();
}
