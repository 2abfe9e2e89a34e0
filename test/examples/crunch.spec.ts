import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { crc32, inflateSync } from 'node:zlib';
import type { PoolStats } from '../../src/index.js';
import { Call, get, type Answer } from '../support/http-client.js';
import { until } from '../support/until.js';
import { ExampleProcess } from './example-process.js';

const WORKERS = 2;
const QUEUE = 8;
/** Takes some ten seconds; nobody waits for it. */
const MAX_N = 5_000_000_000;
const MAX_WIDTH = 1_600;

let app: ExampleProcess;

beforeAll(async () => {
  const watch = new URL('../fixtures/watched-workers.mjs', import.meta.url).href;
  const NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${watch}`.trim();
  app = new ExampleProcess('crunch', { WORKERS: String(WORKERS), NODE_OPTIONS });
  await app.opened('mandelbrot.png');
});
afterAll(() => app[Symbol.asyncDispose]());

const stats = async (): Promise<PoolStats> => JSON.parse((await get(`${app.url}/stats`)).body) as PoolStats;
const atRest = (): Promise<PoolStats> =>
  until(stats, ({ total, idle, waiting }) => total === idle && waiting === 0);

interface Event {
  readonly type: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

function eventsIn({ body }: Answer): Event[] {
  return body
    .split('\n\n')
    .filter(event => event.includes('data: '))
    .map(event => ({
      type: /^event: (.*)$/m.exec(event)?.[1],
      data: JSON.parse(/^data: (.*)$/m.exec(event)![1]!) as Event['data'],
    }));
}

/** All events of a count that nobody breaks off. */
async function count(n: number): Promise<Event[]> {
  const answer = await get(`${app.url}/primes/${n}`);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toContain('text/event-stream');
  return eventsIn(answer);
}

/** Clients that keep all workers busy until they leave. */
class AllBusy implements AsyncDisposable {
  private constructor(readonly clients: readonly Call[]) {}

  static async begin(): Promise<AllBusy> {
    const clients = Array.from({ length: WORKERS }, () => new Call(`${app.url}/primes/${MAX_N}`));
    await Promise.all(clients.map(client => client.firstBytes()));
    expect((await stats()).leased).toBe(WORKERS);
    return new AllBusy(clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client.leave();
    await atRest();
  }
}

describe('the example with workers', () => {
  it('tells how far a count has come, and then its result', async () => {
    const events = await count(100_000_000);
    expect(events.pop()).toEqual({ type: 'result', data: { n: 100_000_000, primes: 5_761_455 } });
    expect(events.length).toBeGreaterThan(10);
    expect(events.length).toBeLessThanOrEqual(100);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['progress']));
    const percents = events.map(({ data }) => data.percent as number);
    expect(percents).toEqual([...new Set(percents)].sort((a, b) => a - b));
  });

  it('tells it while the count is still going on', async () => {
    const client = new Call(`${app.url}/primes/${MAX_N}`);
    let heard = '';
    for await (const chunk of await client.response) {
      heard += String(chunk);
      if (heard.includes('event: progress')) break;
    }
    expect(heard).not.toContain('event: result');
    client.leave();
    await atRest();
  });

  it.each([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 2],
    [9, 4],
    [25, 9],
    [1_000, 168],
    [2 ** 19, 43_390],
    [2 ** 20, 82_025],
    [10_000_000, 664_579],
  ])('counts the primes up to %d: %d', async (n, primes) => {
    expect((await count(n)).at(-1)).toEqual({ type: 'result', data: { n, primes } });
  });

  it('draws a picture', async () => {
    const response = await fetch(`${app.url}/mandelbrot/200`);
    expect(response.headers.get('content-type')).toBe('image/png');
    const { width, height, pixel } = readPng(Buffer.from(await response.arrayBuffer()));
    expect([width, height]).toEqual([200, 150]);
    // The set is black, and symmetric.
    expect(pixel(140, 75)).toBe(0);
    expect(pixel(73, 75)).toBe(0);
    expect(pixel(0, 0)).not.toBe(0);
    expect(pixel(199, 75)).not.toBe(0);
    for (let x = 0; x < width; x++) expect(pixel(x, 30)).toBe(pixel(x, height - 30));
  });

  it.each(['0', String(MAX_N + 1), '-1', '1.5', '1e3', '0x10', 'abc', '9'.repeat(40), '%00'])(
    'does not count up to %s',
    async n => {
      const { acquired } = (await stats()).totals;
      expect((await get(`${app.url}/primes/${n}`)).status).toBe(400);
      expect((await stats()).totals.acquired).toBe(acquired);
    },
  );

  it.each(['15', String(MAX_WIDTH + 1), 'wide'])('does not draw a picture %s wide', async width => {
    expect((await get(`${app.url}/mandelbrot/${width}`)).status).toBe(400);
  });

  it('answers what needs no worker while all of them are busy', async () => {
    await using _busy = await AllBusy.begin();
    const page = await get(`${app.url}/`);
    expect(page.status).toBe(200);
    expect(page.body).toContain(`max="${MAX_N}"`);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    for (const [, file] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const { status, headers } = await get(`${app.url}/${file}`);
      expect([file, status]).toEqual([file, 200]);
      expect(headers['content-type']).toMatch(/^text\/(css|javascript)/);
    }
    // Nor does it have to wait to be refused.
    expect((await get(`${app.url}/primes/0`)).status).toBe(400);
    const { leased, totals } = await stats();
    expect(leased).toBe(WORKERS);
    expect(totals.timedOut + totals.refused).toBe(0);
  });

  it('says 503, and when to come again, to those for whom no worker is free in time', async () => {
    await using _busy = await AllBusy.begin();
    const waiting = Array.from({ length: QUEUE }, () => get(`${app.url}/primes/10`));
    await until(stats, stats => stats.waiting === QUEUE);

    const tooMany = await get(`${app.url}/mandelbrot/100`);
    expect((await stats()).totals).toMatchObject({ refused: 1, timedOut: 0 });
    for (const answer of [tooMany, ...(await Promise.all(waiting))]) {
      expect(answer.status).toBe(503);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect((await stats()).totals).toMatchObject({ refused: 1, timedOut: QUEUE });
  });

  it('stops the work of a client that leaves, and lends its worker to the next', async () => {
    const busy = await AllBusy.begin();
    const next = count(1_000);
    await until(stats, ({ waiting }) => waiting === 1);
    busy.clients[0]!.leave();
    expect((await next).at(-1)!.data.primes).toBe(168);
    expect((await stats()).leased).toBe(WORKERS - 1);
    await busy[Symbol.asyncDispose]();

    const drawing = new Call(`${app.url}/mandelbrot/${MAX_WIDTH}`);
    await until(stats, ({ leased }) => leased === 1);
    drawing.leave();
    // No worker had to be ended for it, in all these tests.
    expect((await atRest()).totals).toMatchObject({ created: WORKERS, destroyed: 0 });
  });

  it('tells those whose worker has crashed, and has another for the next', async () => {
    const client = new Call(`${app.url}/primes/${MAX_N}`);
    const answer = client.answer();
    await until(stats, ({ leased }) => leased === 1);
    app.kill('SIGWINCH');
    const events = eventsIn(await answer);
    expect(events.at(-1)!.type).toBe('failed');
    // What is in the log is not the client's.
    expect(JSON.stringify(events)).not.toMatch(/worker \d/);
    expect(app.output).toContain('Pool "crunch": worker');

    expect((await count(1_000)).at(-1)!.data.primes).toBe(168);
    expect((await stats()).totals.created).toBeGreaterThan(WORKERS);
  });

  it('ends the answers, the workers and itself when it is told to stop', async () => {
    const client = new Call(`${app.url}/primes/${MAX_N}`);
    const answer = client.answer();
    await until(stats, ({ leased }) => leased === 1);
    app.kill('SIGTERM');
    const events = eventsIn(await answer);
    expect(events.map(({ type }) => type)).not.toContain('result');
    expect(await app.exit).toEqual({ code: 0, signal: null });
    expect(app.output).toMatch(/^0 workers left$/m);
  });
});

/** Reads what the example writes: one byte for each pixel, no filters. */
function readPng(png: Buffer): { width: number; height: number; pixel: (x: number, y: number) => number } {
  expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const typeAndData = png.subarray(at + 4, at + 8 + length);
    expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(typeAndData));
    chunks.set(typeAndData.toString('latin1', 0, 4), typeAndData.subarray(4));
    at += length + 12;
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'PLTE', 'IDAT', 'IEND']);
  expect(chunks.get('PLTE')).toHaveLength(3 * 256);
  const header = chunks.get('IHDR')!;
  expect([...header.subarray(8)]).toEqual([8, 3, 0, 0, 0]);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks.get('IDAT')!);
  expect(rows).toHaveLength((width + 1) * height);
  return { width, height, pixel: (x, y) => rows[y * (width + 1) + 1 + x]! };
}
