import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { interceptors, type Dispatcher } from 'undici';
import { HttpSession, HttpTimeoutError, type HttpSessionOptions } from '../../../src/resources/http.js';
import type { ClientHandler } from '../../../src/resources/http/client-handler.js';
import { until } from '../../support/until.js';
import { httpServer, type CountingServer } from './servers.js';

type Interceptor = Dispatcher.DispatcherComposeInterceptor;

/** Milliseconds in all, in which a first request has been answered also where the machine is busy. */
const TOTAL = 1_000;

let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  try {
    await until(
      () => session.stats(),
      ({ leased, waiting }) => leased === 0 && waiting === 0,
    );
  } finally {
    await session.close({ timeout: 0 });
    await server.allClosed();
    await server.stop();
  }
});

const retry = interceptors.retry({ maxRetries: 3 });
const WAYS = ['request', 'fetch'] as const;

function sessionWith(options: HttpSessionOptions): void {
  session = new HttpSession({ baseUrl: server.origin, ...options });
}

async function failure(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => {
      throw new Error('it has not failed');
    },
    (error: unknown) => error as Error,
  );
}

/** An interceptor that holds each request back until it is let go, and tells how many it holds. */
function gate(): { interceptor: Interceptor; held: (() => void)[] } {
  const held: (() => void)[] = [];
  const interceptor: Interceptor = dispatch => (options, handler) => {
    held.push(() => dispatch(options, handler));
    return true;
  };
  return { interceptor, held };
}

/** One that is under that of retries, and lets us know of each of its tries before the pool does. */
function tries(): { interceptor: Interceptor; count: () => number } {
  let count = 0;
  const interceptor: Interceptor = dispatch => (options, handler) => {
    count++;
    return dispatch(options, handler);
  };
  return { interceptor, count: () => count };
}

describe('While the interceptor of retries pauses', () => {
  let pause: (() => void) | undefined;
  /** Pauses until the test says that it is over: a `Retry-After` of any length. */
  const patient = interceptors.retry({
    maxRetries: 3,
    retry: (error, _state, next) => {
      pause = () => next((error as { fatal?: Error }).fatal);
      return null;
    },
  });

  beforeEach(async () => {
    pause = undefined;
    server = await httpServer((_request, response) => {
      response.writeHead(503, { 'retry-after': '3600' }).end();
    });
  });

  it.each(WAYS)('the total time of %s ends it, and no other try is made', async way => {
    const below = tries();
    sessionWith({ timeouts: { total: TOTAL }, interceptors: [below.interceptor, patient] });
    const error = await failure(session[way]('/?token=hunter2'));
    expect(error).toBeInstanceOf(HttpTimeoutError);
    expect(error).toMatchObject({
      phase: 'total',
      origin: server.origin,
      timeout: TOTAL,
      message: `${server.origin}: the exchange was not complete within 1000 ms (timeouts.total).`,
    });
    expect(below.count()).toBe(1);
    pause!();
    expect(below.count()).toBe(2);
    await turns();
    expect(server.requests).toHaveLength(1);
  });

  it.each(WAYS)('an abort of %s ends it, and no other try is made', async way => {
    const below = tries();
    sessionWith({ interceptors: [below.interceptor, patient] });
    const controller = new AbortController();
    const failed = failure(session[way]('/', { signal: controller.signal }));
    await until(
      () => pause,
      seen => seen !== undefined,
    );
    // No code, which the interceptor takes for a reason to try again.
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await failed).toBe(reason);
    pause!();
    expect(below.count()).toBe(2);
    await turns();
    // Refused, and told so that it is not tried once more.
    expect(below.count()).toBe(2);
    expect(server.requests).toHaveLength(1);
  });

  it('which undici itself makes as long as the server says, that holds, too', async () => {
    sessionWith({ timeouts: { total: TOTAL }, interceptors: [interceptors.retry({ maxTimeout: 3_000 })] });
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const early = jest.fn();
    const over = jest.fn();
    try {
      const failed = failure(session.fetch('/'));
      await until(
        () => timers.mock.calls.filter(([, ms]) => ms === 3_000).length,
        seen => seen === 1,
      );
      setTimeout(early, 2_500);
      setTimeout(over, 3_000);
      expect(await failed).toMatchObject({ phase: 'total' });
      expect(early).not.toHaveBeenCalled();
      // And when the pause is over, nothing is sent.
      await until(
        () => over.mock.calls.length,
        seen => seen === 1,
      );
      await turns();
      expect(server.requests).toHaveLength(1);
    } finally {
      timers.mockRestore();
    }
  });

  it('on a response that it holds, its connection is given back', async () => {
    // Nobody goes on with it, and nobody reads it.
    const holding = interceptors.retry({ throwOnError: false, retry: () => null });
    sessionWith({ timeouts: { total: TOTAL }, interceptors: [holding] });
    expect(await failure(session.request('/'))).toMatchObject({ phase: 'total' });
    await until(
      () => session.stats().leased,
      seen => seen === 0,
    );
  });
});

describe('While an interceptor waits before the first request', () => {
  it.each(WAYS)('the total time of %s ends it, and nothing is sent', async way => {
    server = await httpServer();
    const { interceptor, held } = gate();
    sessionWith({ timeouts: { total: 40 }, interceptors: [interceptor] });
    expect(await failure(session[way]('/'))).toMatchObject({ phase: 'total' });
    held[0]!();
    await turns();
    expect(server.requests).toEqual([]);
    expect(session.stats().totals.acquired).toBe(0);
  });

  it('an abort ends it, and nothing is sent', async () => {
    server = await httpServer();
    const { interceptor, held } = gate();
    sessionWith({ interceptors: [interceptor] });
    const controller = new AbortController();
    const failed = failure(session.request('/', { signal: controller.signal }));
    controller.abort();
    expect(await failed).toMatchObject({ name: 'AbortError' });
    held[0]!();
    await turns();
    expect(server.requests).toEqual([]);
    // One that is aborted before does not come to the interceptors.
    await failure(session.request('/', { signal: controller.signal }));
    expect(held).toHaveLength(1);
  });
});

it('the total time ends a redirect that an interceptor waits with', async () => {
  server = await httpServer((_request, response) => response.writeHead(302, { location: '/next' }).end());
  const { interceptor, held } = gate();
  sessionWith({
    timeouts: { total: TOTAL },
    interceptors: [interceptor, interceptors.redirect({ maxRedirections: 5 })],
  });
  const failed = failure(session.request('/'));
  held.shift()!();
  expect(await failed).toMatchObject({ phase: 'total' });
  expect(server.requests).toEqual(['GET /']);
  held.shift()!();
  await turns();
  expect(server.requests).toEqual(['GET /']);
});

describe('In the middle of a body that is being resumed', () => {
  /** It breaks off after the headers and a part; the rest comes only as a part more, and no end. */
  beforeEach(async () => {
    server = await httpServer((request, response) => {
      if (request.headers.range === undefined) {
        response.writeHead(200, { etag: '"1"', 'content-length': 100 });
        response.write('0123456789', () => request.socket.resetAndDestroy());
        return;
      }
      response.writeHead(206, { etag: '"1"', 'content-range': 'bytes 10-99/100', 'content-length': 90 });
      response.write('abcdefghij');
    });
  });

  const quick = interceptors.retry({ maxRetries: 3, minTimeout: 1, timeoutFactor: 1 });

  it('the total time ends it, and the connection with it', async () => {
    sessionWith({ timeouts: { total: TOTAL }, interceptors: [quick] });
    const { body } = await session.request('/');
    expect(await failure(body.text())).toMatchObject({ phase: 'total', origin: server.origin });
    expect(server.requests).toHaveLength(2);
    await server.allClosed();
    const response = await session.fetch('/');
    expect(await failure(response.text())).toMatchObject({ cause: { phase: 'total' } });
    await server.allClosed();
    expect(server.requests).toHaveLength(4);
  });

  it.each(WAYS)('an abort of %s ends it, and the connection with it', async way => {
    sessionWith({ interceptors: [quick] });
    const controller = new AbortController();
    const { body } = await session[way]('/', { signal: controller.signal });
    let seen = 0;
    const failed = failure(
      (async () => {
        for await (const part of body as AsyncIterable<Uint8Array>) seen += part.length;
      })(),
    );
    await until(
      () => seen,
      count => count === 20,
    );
    controller.abort();
    expect(await failed).toMatchObject({ name: 'AbortError' });
    await server.allClosed();
    expect(server.requests).toHaveLength(2);
  });

  it('an abort ends it in the pause before, and the rest is not asked for', async () => {
    let next: (() => void) | undefined;
    const patient = interceptors.retry({
      retry: (_error, _state, go) => {
        next = () => go();
        return null;
      },
    });
    sessionWith({ interceptors: [patient] });
    const controller = new AbortController();
    const { body } = await session.request('/', { signal: controller.signal });
    const failed = failure(body.text());
    await until(
      () => next,
      seen => seen !== undefined,
    );
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await failed).toBe(reason);
    const again = next!;
    next = undefined;
    again();
    await turns();
    expect(server.requests).toHaveLength(1);
    expect(session.stats().totals.acquired).toBe(1);
    // The interceptor has heard that it is over, and does not want to try once more.
    expect(next).toBeUndefined();
  });

  it('the total time ends it in the pause before', async () => {
    let pauses = 0;
    const stuck = interceptors.retry({
      retry: () => {
        pauses++;
        return null;
      },
    });
    sessionWith({ timeouts: { total: TOTAL }, interceptors: [stuck] });
    const { body } = await session.request('/');
    expect(await failure(body.text())).toMatchObject({ phase: 'total' });
    expect(pauses).toBe(1);
  });
});

describe('An exchange that is over', () => {
  it('leaves no timer', async () => {
    server = await httpServer();
    sessionWith({ timeouts: { total: 3_600_000 }, interceptors: [retry] });
    const before = timers();
    await (await session.request('/')).body.dump();
    await (await session.fetch('/')).text();
    const controller = new AbortController();
    const aborted = failure(session.request('/', { signal: controller.signal }));
    controller.abort();
    await aborted;
    // What interceptors refuse at once.
    const thrown = new HttpSession({
      baseUrl: server.origin,
      timeouts: { total: 3_600_000 },
      interceptors: [
        () => () => {
          throw new Error('no');
        },
      ],
    });
    await expect(thrown.request('/')).rejects.toThrow('no');
    await until(timers, count => count <= before);
  });

  it('hears nothing of what comes later', async () => {
    server = await httpServer();
    let late!: Dispatcher.DispatchHandler;
    sessionWith({
      timeouts: { total: 40 },
      interceptors: [
        () => (_options, handler) => {
          late = handler;
          return true;
        },
      ],
    });
    const told: string[] = [];
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => void told.push('start'),
      onResponseStart: () => void told.push('headers'),
      onResponseData: () => void told.push('data'),
      onResponseEnd: () => void told.push('end'),
      onResponseError: (_controller, error) => void told.push(error.name),
    };
    let controller!: Dispatcher.DispatchController;
    session.dispatcher.dispatch(
      { origin: server.origin, path: '/', method: 'GET' },
      {
        ...handler,
        onRequestStart: given => {
          controller = given;
          told.push('start');
        },
      },
    );
    controller.abort(new TypeError('enough'));
    expect(controller).toMatchObject({ aborted: true, reason: { message: 'enough' } });
    const below = {
      aborted: false,
      paused: false,
      reason: null,
      abort: jest.fn(),
      pause: jest.fn(),
      resume: jest.fn(),
    };
    const destroy = jest.fn();
    late.onRequestStart!(below, {});
    late.onResponseStart!(below, 200, {});
    late.onResponseData!(below, Buffer.from('x'));
    late.onResponseEnd!(below, {});
    late.onResponseError!(below, new Error('late'));
    late.onRequestUpgrade!(below, 101, {}, { destroy } as never);
    expect(told).toEqual(['start', 'TypeError']);
    expect(below.abort).toHaveBeenCalledWith(controller.reason);
    expect(destroy).toHaveBeenCalled();
  });
});

describe('Interceptors', () => {
  it('of the old kind do their work', async () => {
    server = await httpServer((request, response) => {
      response.writeHead(200, { 'x-path': request.url }).write('one ');
      setImmediate(() => response.end('two'));
    });
    let bytes = 0;
    const old: Interceptor = dispatch => (options, handler) => {
      const above = handler as Required<ClientHandler>;
      const own: ClientHandler = {
        onConnect: abort => above.onConnect(abort),
        onHeaders: (...told) => above.onHeaders(...told),
        onData: chunk => {
          bytes += chunk.length;
          return above.onData(chunk);
        },
        onComplete: trailers => above.onComplete(trailers),
        onError: error => above.onError(error),
      };
      return dispatch(options, own);
    };
    sessionWith({ interceptors: [old] });
    const { body, headers } = await session.request('/a');
    expect(headers['x-path']).toBe('/a');
    expect(await body.text()).toBe('one two');
    expect(await (await session.fetch('/b')).text()).toBe('one two');
    expect(bytes).toBe(14);
  });

  it('outside of those of the session have what those throw', async () => {
    let times = 0;
    server = await httpServer(
      (_request, response) => void response.writeHead(++times < 3 ? 503 : 200).end(`${times}`),
    );
    sessionWith({ interceptors: [interceptors.redirect({ maxRedirections: 2 })] });
    const dispatcher = session.dispatcher.compose(
      interceptors.retry({ maxRetries: 3, minTimeout: 1, timeoutFactor: 1 }),
    );
    const { body } = await dispatcher.request({ origin: server.origin, path: '/', method: 'GET' });
    expect(await body.text()).toBe('3');
  });

  it('say where a redirect has led', async () => {
    server = await httpServer((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/next' }).end();
      else response.end('there');
    });
    sessionWith({ interceptors: [interceptors.redirect({ maxRedirections: 5 })] });
    const { body, context } = await session.request('/');
    expect(await body.text()).toBe('there');
    expect((context as { history: URL[] }).history.map(String)).toEqual([
      `${server.origin}/`,
      `${server.origin}/next`,
    ]);
  });

  it('let a slow reader slow the connection down', async () => {
    const size = 32 * 1024 * 1024;
    let written = 0;
    server = await httpServer((_request, response) => {
      const part = Buffer.alloc(64 * 1024);
      const write = (): void => {
        while (written < size) {
          written += part.length;
          if (!response.write(part)) {
            response.once('drain', write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    sessionWith({ interceptors: [retry] });
    const { body } = await session.request('/');
    let before = -1;
    // Until the server cannot write any more, as nobody reads.
    await until(
      async () => {
        before = written;
        await new Promise(resolve => setTimeout(resolve, 100));
        return written === before;
      },
      stopped => stopped,
    );
    expect(written).toBeLessThan(size);
    expect((await body.arrayBuffer()).byteLength).toBe(size);
  });
});

it('a session without interceptors has nothing added', async () => {
  server = await httpServer();
  sessionWith({});
  expect(session.dispatcher.constructor.name).toBe('PooledAgent');
  expect(Object.hasOwn(session.dispatcher, 'dispatch')).toBe(false);
  const seen = jest.spyOn(session.dispatcher, 'dispatch');
  await (await session.request('/')).body.dump();
  const handler = seen.mock.calls[0]![1] as object;
  expect(handler.constructor.name).toBe('RequestHandler');
  expect(Object.getOwnPropertySymbols(seen.mock.calls[0]![0]).map(String)).toEqual([
    'Symbol(nestjs-pool.http.call)',
  ]);
});

/** What a request that is sent would need to reach the server. */
async function turns(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 50));
}

/** Those that keep the process. */
function timers(): number {
  return process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
}
