import { readFile } from 'node:fs/promises';
import { afterEach, expect, it } from '@jest/globals';
import { interceptors } from 'undici';
import { HttpSession } from '../../../src/resources/http.js';
import { httpServer, type CountingServer } from './servers.js';

// What docs/http.md says of undici's interceptor of retries: when it joins two versions of a body into one answer, and that
// the form that is written there never does.

let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  await session.close({ timeout: 0 });
  await server.allClosed();
  await server.stop();
});

type Break = 'reset' | 'end';

/** Each request finds a new version; the first one breaks off in the middle. It does not care for `If-Match`. */
async function changingServer(etag: (version: number) => string | undefined, how: Break): Promise<void> {
  let version = 0;
  server = await httpServer((request, response) => {
    const body = String(++version).repeat(100);
    const tag = etag(version);
    if (tag !== undefined) response.setHeader('etag', tag);
    if (version === 1) {
      response.writeHead(200, { 'content-length': 100 });
      response.write(body.slice(0, 40), () => {
        if (how === 'reset') request.socket.resetAndDestroy();
        else request.socket.end();
      });
      return;
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const headers = { 'content-range': `bytes ${from}-99/100`, 'content-length': 100 - from };
    response
      .writeHead(from > 0 ? 206 : 200, from > 0 ? headers : { 'content-length': 100 })
      .end(body.slice(from));
  });
}

const QUICK = { maxRetries: 3, minTimeout: 1, timeoutFactor: 1 };
/** As docs/http.md has it. */
const ERROR_CODES = ['POOL_UNAVAILABLE'];

async function read(way: 'request' | 'fetch'): Promise<string> {
  const { body } = await session[way]('/');
  const parts: Buffer[] = [];
  for await (const part of body as AsyncIterable<Uint8Array>) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

const TAGS = [
  ['no ETag', () => undefined],
  ['weak ETags', version => `W/"${version}"`],
  ['strong ETags', version => `"${version}"`],
] as const satisfies [string, (version: number) => string | undefined][];
const BREAKS = ['reset', 'end'] as const;
const WAYS = ['request', 'fetch'] as const;

it.each(TAGS.flatMap(([name, tag]) => BREAKS.flatMap(how => WAYS.map(way => ({ name, tag, how, way })))))(
  'the form of the documentation fails where a body breaks off: $name, $how, $way',
  async ({ tag, how, way }) => {
    await changingServer(tag, how);
    session = new HttpSession({
      baseUrl: server.origin,
      interceptors: [interceptors.retry({ ...QUICK, errorCodes: ERROR_CODES })],
    });
    await expect(read(way)).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
    // And the next one is whole.
    expect(await read(way)).toBe('2'.repeat(100));
  },
);

it.each(TAGS)('undici by default joins two versions, but for strong ones: %s', async (name, tag) => {
  await changingServer(tag, 'reset');
  session = new HttpSession({ baseUrl: server.origin, interceptors: [interceptors.retry(QUICK)] });
  if (name === 'strong ETags') await expect(read('request')).rejects.toThrow('ETag mismatch');
  else expect(await read('request')).toBe('1'.repeat(40) + '2'.repeat(60));
});

it('undici by default joins versions of any length, where the first has not said its own', async () => {
  server = await httpServer((request, response) => {
    if (request.headers.range === undefined) {
      response.writeHead(200).write('1111', () => request.socket.resetAndDestroy());
    } else {
      response.writeHead(206, { 'content-range': 'bytes 4-5/6', 'content-length': 2 }).end('22');
    }
  });
  session = new HttpSession({ baseUrl: server.origin, interceptors: [interceptors.retry(QUICK)] });
  expect(await read('request')).toBe('111122');
});

it('the form of the documentation still retries what is told before the headers', async () => {
  let times = 0;
  server = await httpServer(
    (_request, response) => void response.writeHead(++times < 3 ? 503 : 200).end('whole'),
  );
  session = new HttpSession({
    baseUrl: server.origin,
    interceptors: [interceptors.retry({ ...QUICK, errorCodes: ERROR_CODES })],
  });
  expect(await read('request')).toBe('whole');
});

it('all examples of the documentation have that form', async () => {
  const page = await readFile(new URL('../../../docs/http.md', import.meta.url), 'utf8');
  const calls = page
    .split('```')
    .filter((_part, i) => i % 2 === 1)
    .flatMap(code => code.match(/interceptors\.retry\([^)]*\)/g) ?? []);
  expect(calls.length).toBeGreaterThan(0);
  for (const call of calls) expect(call).toContain("errorCodes: ['POOL_UNAVAILABLE']");
});
