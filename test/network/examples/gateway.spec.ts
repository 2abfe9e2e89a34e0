import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import type { RequestListener, ServerResponse } from 'node:http';
import type { KeyedPoolStats } from '../../../src/index.js';
import { ExampleProcess } from '../../examples/example-process.js';
import { isRefused } from '../../examples/shop-process.js';
import { Call, get, type Answer } from '../../support/http-client.js';
import { until } from '../../support/until.js';
import { deadOrigin, silentServer, type CountingServer } from '../http/servers.js';
import { PRICES, PRODUCTS, Upstream, sendJson } from './gateway-upstreams.js';

const LAST_WORDS = '/health/ready\n';
/** Of the sessions of the example. */
const MAX = 10;
const QUEUE = 50;

const PRICED = JSON.stringify(PRODUCTS.map(({ id, name }) => ({ id, name, price: PRICES[id as 'apple'] })));
const UNPRICED = JSON.stringify(PRODUCTS.map(({ id, name }) => ({ id, name, price: null })));

const catalog = new Upstream(({ url }, response) => {
  if (url === '/products') sendJson(response, PRODUCTS);
  else response.writeHead(404).end();
});
const prices = new Upstream((request, response) => {
  if (request.method === 'POST') sendJson(response, { quote: 1 });
  else sendJson(response, PRICES);
});
let gateway: ExampleProcess;

async function start(environment: NodeJS.ProcessEnv = {}): Promise<ExampleProcess> {
  const urls = { CATALOG_URL: catalog.url, PRICES_URL: prices.url };
  return new ExampleProcess('gateway', { ...urls, ...environment }).opened(LAST_WORDS);
}

const products = (of = gateway): Promise<Answer> => get(`${of.url}/products`);

async function stats(name: string, of = gateway): Promise<KeyedPoolStats> {
  const all = JSON.parse((await get(`${of.url}/stats`)).body) as KeyedPoolStats[];
  return all.find(one => one.name === name)!;
}

function quote(body: object = { product: 'apple', quantity: 3 }): Promise<Answer> {
  return new Call(`${gateway.url}/quotes`, { method: 'POST', body }).answer();
}

async function heldBy(upstream: Upstream, number: number): Promise<void> {
  await until(
    () => upstream.held.size,
    size => size === number,
  );
}

/** One gateway, and servers that know of nothing else. */
function hasGateway(environment: NodeJS.ProcessEnv = {}): void {
  hasUpstreams();
  beforeAll(async () => {
    gateway = await start(environment);
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
}

function hasUpstreams(): void {
  beforeAll(async () => {
    await catalog.start();
    await prices.start();
  });
  afterAll(async () => {
    await catalog.server.stop();
    await prices.server.stop();
  });
}

afterEach(() => {
  catalog.recovers();
  prices.recovers();
});

describe('the example of a gateway, whose prices have a second and a half,', () => {
  // More than a busy machine takes for an answer that does come.
  hasGateway({ PRICES_TIMEOUT: '1500' });

  it('makes a hundred requests one after the other with one connection to each upstream', async () => {
    for (let i = 0; i < 100; i++) expect(await products()).toMatchObject({ status: 200, body: PRICED });
    expect(catalog.server.connections).toBe(1);
    expect(prices.server.connections).toBe(1);
    expect(catalog.count('GET /products')).toBe(100);
  });

  it('tells its upstreams who asks', async () => {
    let agent: string | undefined;
    catalog.answers((request, response) => {
      agent = request.headers['user-agent'];
      sendJson(response, PRODUCTS);
    });
    await products();
    expect(agent).toBe('gateway');
  });

  it('asks again after a 503, and has the price', async () => {
    prices.answers((_request, response) => {
      prices.recovers();
      // Longer than anybody here would wait.
      response.writeHead(503, { 'retry-after': '60' }).end('{"apple":1}');
    });
    const before = prices.count('GET /prices');
    expect(await products()).toMatchObject({ status: 200, body: PRICED });
    expect(prices.count('GET /prices') - before).toBe(2);
  });

  /** What it does, and how often it is asked at most. */
  const FAULTS: Record<string, { answer: RequestListener; asked: number }> = {
    'says 503 for ever': {
      answer: (_request, response) => response.writeHead(503).end('{"apple":1}'),
      asked: 3,
    },
    'says 500': { answer: (_request, response) => response.writeHead(500).end('{"apple":1}'), asked: 1 },
    // Each connection that was used before may have been dead, and the GET goes on with another one.
    'hangs up': { answer: (_request, response) => response.destroy(), asked: MAX + 1 },
    'never answers': { answer: () => undefined, asked: 1 },
    'answers drop by drop': { answer: (_request, response) => drip(response), asked: 1 },
    'hangs up in the middle of a body': {
      answer: (_request, response) => {
        response.setHeader('content-length', 100).write('{"apple":1');
        setImmediate(() => response.destroy());
      },
      asked: 1,
    },
    'hangs up before the end of a body that could be taken for the whole': {
      answer: (_request, response) => {
        response.write('{"apple":1}');
        setImmediate(() => response.destroy());
      },
      asked: 1,
    },
    'would go on with another version of the body': {
      answer: (request, response) => {
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? -1);
        const body = from < 0 ? '{"apple":0.50,"pear":0.80}' : '{"apple":9.99,"pear":9.99}';
        if (from >= 0) {
          response.writeHead(206, { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` });
          response.end(body.slice(from));
          return;
        }
        response.setHeader('content-length', body.length).write(body.slice(0, 20));
        setImmediate(() => response.destroy());
      },
      asked: 1,
    },
    'answers with something else': { answer: (_request, response) => response.end('<html>'), asked: 1 },
    'answers null': { answer: (_request, response) => sendJson(response, null), asked: 1 },
    'answers with words': { answer: (_request, response) => sendJson(response, { apple: 'much' }), asked: 1 },
  };

  it.each(Object.entries(FAULTS))(
    'says that prices are unknown where their upstream %s',
    async (_name, fault) => {
      // Once over a connection that is known to be good, and then over what there is.
      await products();
      const before = prices.count('GET /prices');
      prices.answers(fault.answer);
      expect(await products()).toMatchObject({ status: 200, body: UNPRICED });
      expect(prices.count('GET /prices') - before).toBeLessThanOrEqual(fault.asked);
      const answers = await Promise.all(Array.from({ length: 10 }, () => products()));
      expect(answers.map(({ status, body }) => ({ status, body }))).toEqual(
        Array(10).fill({ status: 200, body: UNPRICED }),
      );
      prices.recovers();
      await until(products, ({ body }) => body === PRICED);
      expect(await stats('prices')).toMatchObject({ leased: 0, waiting: 0 });
    },
  );

  it('gives nobody the answer that came too late for another', async () => {
    prices.holds();
    expect(await products()).toMatchObject({ status: 200, body: UNPRICED });
    // Its connection is closed with it.
    await heldBy(prices, 0);
    prices.recovers();
    for (let i = 0; i < 10; i++) expect(await products()).toMatchObject({ body: PRICED });
  });

  it('has no failed request where its upstream closes connections that are idle', async () => {
    prices.answers(({ socket }, response) => {
      // That it will, it does not say.
      response.setHeader('connection', 'keep-alive');
      response.once('finish', () => socket.end());
      sendJson(response, PRICES);
    });
    const before = prices.server.connections;
    for (let i = 0; i < 50; i++) expect(await products()).toMatchObject({ status: 200, body: PRICED });
    expect(prices.server.connections - before).toBeGreaterThan(1);
  });

  describe('quotes', () => {
    it('are made once', async () => {
      const before = prices.count('POST /quotes');
      expect(await quote()).toMatchObject({ status: 201, body: '{"quote":1}' });
      expect(prices.count('POST /quotes') - before).toBe(1);
    });

    it('are refused where they make no sense', async () => {
      const before = prices.server.requests.length;
      expect(await quote({ product: 'apple' })).toMatchObject({ status: 400 });
      expect(prices.server.requests.length).toBe(before);
    });

    it.each<[string, string, RequestListener]>([
      [
        'says 503',
        '502 prices did not answer as it should',
        (_request, response) => response.writeHead(503).end(),
      ],
      ['hangs up', '502 prices did not answer as it should', (_request, response) => response.destroy()],
      ['never answers', '504 prices did not answer in time', () => undefined],
      [
        'says that there is no such product',
        '404 Not Found',
        (_request, response) => response.writeHead(404).end(),
      ],
    ])('are not asked for again where the upstream %s', async (_name, told, answer) => {
      // Over a connection that was used before, and over a new one.
      expect(await products()).toMatchObject({ status: 200, body: PRICED });
      prices.answers(answer);
      for (let i = 0; i < 2; i++) {
        const before = prices.count('POST /quotes');
        const { status, body } = await quote();
        expect(`${status} ${(JSON.parse(body) as { message: string }).message}`).toBe(told);
        expect(prices.count('POST /quotes') - before).toBe(1);
      }
    });
  });

  it('says 502 where the catalog does not answer as it should', async () => {
    catalog.answers((_request, response) => {
      response.setHeader('content-length', 1_000).write(JSON.stringify(PRODUCTS));
      setImmediate(() => response.destroy());
    });
    expect(await products()).toMatchObject({ status: 502 });
  });

  describe('a download', () => {
    const CHUNKS = Array.from({ length: 200 }, () => randomBytes(50_000).toString('hex'));

    it('goes through as it is', async () => {
      catalog.answers((_request, response) => {
        for (const chunk of CHUNKS) response.write(chunk);
        response.end();
      });
      const { status, headers, body } = await get(`${gateway.url}/export`);
      expect([status, headers['content-type']]).toEqual([200, 'text/csv']);
      const sum = (text: string): string => createHash('sha256').update(text).digest('hex');
      expect(sum(body)).toBe(sum(CHUNKS.join('')));
    });

    it.each([true, false])(
      'that breaks off is not taken for the whole (with a length: %s)',
      async hasLength => {
        let sent: ServerResponse | undefined;
        catalog.answers((_request, response) => {
          if (hasLength) response.setHeader('content-length', 1_000_000);
          response.write('one,two\n');
          sent = response;
        });
        const call = new Call(`${gateway.url}/export`);
        expect(await call.firstBytes()).toBe('one,two\n');
        sent!.destroy();
        await expect(call.rest()).rejects.toMatchObject({ code: 'ECONNRESET' });
      },
    );

    it('ends at the upstream when the client leaves', async () => {
      const closed = new Promise<boolean>(resolve => {
        catalog.answers((_request, response) => {
          response.write('one,two\n');
          response.once('close', () => resolve(response.writableFinished));
        });
      });
      const call = new Call(`${gateway.url}/export`);
      await call.firstBytes();
      call.leave();
      expect(await closed).toBe(false);
      await until(
        () => stats('downloads'),
        ({ leased }) => leased === 0,
      );
    });

    it('comes no faster than it is read', async () => {
      const megabyte = Buffer.alloc(1_000_000, 'x');
      let sent = 0;
      catalog.answers((_request, response) => {
        const more = (): void => {
          while (sent < 500 && !response.destroyed) {
            sent++;
            if (!response.write(megabyte)) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      });
      const call = new Call(`${gateway.url}/export`);
      await call.firstBytes();
      let seen = { sent: 0, times: 0 };
      await until(
        () => (seen = { sent, times: seen.sent === sent ? seen.times + 1 : 0 }),
        ({ times }) => times === 50,
      );
      expect(sent).toBeLessThan(100);
      call.leave();
    });

    it('takes nothing from products, and is refused when too many want it', async () => {
      catalog.answers(({ url }, response) => {
        if (url === '/export') response.write('one,two\n');
        else sendJson(response, PRODUCTS);
      });
      const before = catalog.count('GET /export');
      const four = (): Call[] => Array.from({ length: 4 }, () => new Call(`${gateway.url}/export`));
      const loading = four();
      await Promise.all(loading.map(call => call.firstBytes()));
      const queueing = four();
      await until(
        () => stats('downloads'),
        ({ waiting }) => waiting === 4,
      );
      const refused = await get(`${gateway.url}/export`);
      expect(refused.status).toBe(503);
      expect(refused.headers['retry-after']).toBe('1');
      expect(await products()).toMatchObject({ status: 200, body: PRICED });
      for (const call of queueing) call.leave();
      await until(
        () => stats('downloads'),
        ({ waiting }) => waiting === 0,
      );
      for (const call of loading) call.leave();
      await until(
        () => stats('downloads'),
        ({ leased }) => leased === 0,
      );
      expect(catalog.count('GET /export') - before).toBe(4);
      // They left the queue, and did not wait until it was too late.
      expect((await stats('downloads')).totals.timedOut).toBe(0);
    });
  });
});

describe('the example of a gateway, whose prices have time,', () => {
  hasGateway({ PRICES_TIMEOUT: '60000' });

  it('has never more connections than it may, and answers who comes when its queue is full', async () => {
    catalog.holds();
    const calls = Array.from({ length: MAX + QUEUE }, () => products());
    await heldBy(catalog, MAX);
    await until(
      () => stats('catalog'),
      ({ waiting }) => waiting === QUEUE,
    );
    const refused = await products();
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.body).not.toContain('127.0.0.1');
    catalog.recovers();
    for (const answer of await Promise.all(calls))
      expect(answer).toMatchObject({ status: 200, body: PRICED });
    expect(catalog.server.peak).toBeLessThanOrEqual(MAX);
    expect(prices.server.peak).toBeLessThanOrEqual(MAX);
  });

  it('serves the catalog, and stays ready, while all who ask for prices hang', async () => {
    prices.holds();
    const before = catalog.count('GET /products');
    const calls = Array.from({ length: MAX + QUEUE }, () => new Call(`${gateway.url}/products`));
    await heldBy(prices, MAX);
    // The catalog has answered all of them, and keeps nothing for them.
    await until(
      () => Promise.all([stats('catalog'), stats('prices')]),
      ([catalogs, queue]) =>
        catalogs.leased === 0 && catalogs.totals.acquired >= MAX + QUEUE && queue.waiting === QUEUE,
    );
    expect(catalog.count('GET /products') - before).toBe(MAX + QUEUE);
    // Who comes now does not wait at all.
    for (let i = 0; i < 20; i++) expect(await products()).toMatchObject({ status: 200, body: UNPRICED });
    const { status, body } = await get(`${gateway.url}/health/ready`);
    expect([status, Object.keys((JSON.parse(body) as { details: object }).details)]).toEqual([
      200,
      ['catalog'],
    ]);
    // They leave, and nothing is asked for them any more.
    for (const call of calls) call.leave();
    await heldBy(prices, 0);
    await until(
      () => stats('prices'),
      ({ leased, waiting }) => leased === 0 && waiting === 0,
    );
    prices.recovers();
    expect(await products()).toMatchObject({ status: 200, body: PRICED });
  });

  it.each([catalog, prices])('ends what it asks for a client that leaves', async upstream => {
    upstream.holds();
    const call = new Call(`${gateway.url}/products`);
    await heldBy(upstream, 1);
    call.leave();
    await heldBy(upstream, 0);
    expect(gateway.output).not.toContain('ERROR');
  });

  it('ends in order: answers what it has begun, and leaves no connection behind', async () => {
    prices.holds();
    const call = products();
    await heldBy(prices, 1);
    gateway.kill('SIGTERM');
    const port = Number(new URL(gateway.url).port);
    await until(
      () => isRefused(port),
      refused => refused,
    );
    prices.recovers();
    expect(await call).toMatchObject({ status: 200, body: PRICED });
    expect(await gateway.exit).toEqual({ code: 0, signal: null });
    await catalog.server.allClosed();
    await prices.server.allClosed();
  });
});

describe('the example of a gateway, where there are no prices,', () => {
  hasUpstreams();
  let silent: CountingServer;
  beforeAll(async () => {
    silent = await silentServer();
  });
  afterAll(() => silent.stop());

  const GONE: [string, () => Promise<string>][] = [
    ['nobody listens', deadOrigin],
    ['somebody listens and says nothing', async () => silent.origin],
  ];
  it.each(GONE)('has all else where %s, and is ready', async (_name, origin) => {
    await using lonely = await start({ PRICES_URL: await origin() });
    const answers = await Promise.all(Array.from({ length: 40 }, () => products(lonely)));
    answers.push(await products(lonely));
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: UNPRICED });
    expect(await get(`${lonely.url}/health/ready`)).toMatchObject({ status: 200 });
    expect(await get(`${lonely.url}/export`)).toMatchObject({ status: 502 });
    lonely.kill('SIGTERM');
    expect(await lonely.exit).toEqual({ code: 0, signal: null });
    await catalog.server.allClosed();
    await silent.allClosed();
  });
});

it('the example of a gateway has upstreams of its own where it is given none', async () => {
  await using alone = await new ExampleProcess('gateway', {}).opened(LAST_WORDS);
  for (let i = 0; i < 20; i++) {
    const { status, body } = await products(alone);
    expect(status).toBe(200);
    const list = JSON.parse(body) as { id: string; price: number | null }[];
    expect(list.map(({ id }) => id)).toEqual(['apple', 'pear', 'plum']);
    expect([0.5, null]).toContain(list[0]!.price);
  }
  expect((await get(`${alone.url}/export`)).body.split('\n')).toHaveLength(1_000_001);
  alone.kill('SIGTERM');
  expect(await alone.exit).toEqual({ code: 0, signal: null });
});

/** A part of it every few milliseconds, for ever. */
function drip(response: ServerResponse): void {
  response.write('{"apple":1');
  const drops = setInterval(() => response.write(' '), 5);
  response.once('close', () => clearInterval(drops));
}
