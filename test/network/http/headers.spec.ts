import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { inspect } from 'node:util';
import { interceptors } from 'undici';
import { PoolOptionsError } from '../../../src/engine/index.js';
import { HttpSession, type HttpSessionOptions } from '../../../src/resources/http.js';
import { httpServer, type CountingServer } from './servers.js';

const SECRETS = { authorization: 'Bearer hunter2', cookie: 'sid=hunter2', 'X-Api-Key': 'hunter2' };
const HARMLESS = { 'User-Agent': 'test/1', 'Accept-Language': 'eo' };

let home: CountingServer;
let other: CountingServer;
let seen: { at: 'home' | 'other'; url: string; headers: IncomingHttpHeaders }[];
let session: HttpSession;

beforeEach(async () => {
  seen = [];
  home = await httpServer((request, response) => {
    const url = request.url!;
    seen.push({ at: 'home', url, headers: request.headers });
    if (url.startsWith('/to-other'))
      response.writeHead(307, { location: `${other.origin}/${url.slice(9)}` }).end();
    else if (url === '/to-self') response.writeHead(307, { location: '/self' }).end();
    else response.end('home');
  });
  other = await httpServer((request, response) => {
    const url = request.url!;
    seen.push({ at: 'other', url, headers: request.headers });
    if (url === '/-and-back') response.writeHead(307, { location: `${home.origin}/back` }).end();
    else response.end('other');
  });
});

afterEach(async () => {
  await session.close();
  await home.stop();
  await other.stop();
});

function open(options: HttpSessionOptions = {}): HttpSession {
  return (session = new HttpSession({
    baseUrl: home.origin,
    headers: { ...SECRETS, ...HARMLESS },
    interceptors: [interceptors.redirect({ maxRedirections: 5 })],
    ...options,
  }));
}

const ways = ['request', 'fetch'] as const;

async function get(way: (typeof ways)[number], url: string, headers?: Record<string, string>): Promise<void> {
  const given = headers ? { headers } : {};
  if (way === 'fetch') await (await session.fetch(url, given)).text();
  else await (await session.request(url, given)).body.dump();
}

describe.each(ways)('The headers of a session, by %s', way => {
  it('go with every request to its base URL', async () => {
    open();
    await get(way, '/');
    expect(seen).toMatchObject([
      {
        headers: {
          authorization: 'Bearer hunter2',
          cookie: 'sid=hunter2',
          'x-api-key': 'hunter2',
          'user-agent': 'test/1',
        },
      },
    ]);
  });

  it('give way to those of a request, whatever their case', async () => {
    open();
    await get(way, '/', { Authorization: 'Basic mine', 'x-API-key': 'mine' });
    expect(seen[0]!.headers).toMatchObject({
      authorization: 'Basic mine',
      'x-api-key': 'mine',
      cookie: 'sid=hunter2',
    });
  });

  it('do not go to the other origin of an absolute URL, but for harmless ones', async () => {
    open();
    for (const url of [other.origin, other.origin.replace('http:', '')]) {
      seen = [];
      await get(way, url);
      expect(seen[0]).toMatchObject({
        at: 'other',
        headers: { 'user-agent': 'test/1', 'accept-language': 'eo' },
      });
      expect(inspect(seen, { depth: 9 })).not.toContain('hunter2');
    }
  });

  it('do not follow a redirect to another origin, whatever they are called', async () => {
    open();
    await get(way, '/to-other');
    expect(seen.map(({ at }) => at)).toEqual(['home', 'other']);
    expect(inspect(seen[1], { depth: 9 })).not.toContain('hunter2');
    expect(seen[1]!.headers).toMatchObject({ 'user-agent': 'test/1' });
  });

  it('do not come back with a redirect from there, which says where they would be sent', async () => {
    open();
    await get(way, '/to-other-and-back');
    expect(seen.map(({ at, url }) => `${at} ${url}`)).toEqual([
      'home /to-other-and-back',
      'other /-and-back',
      'home /back',
    ]);
    expect(inspect(seen.slice(1), { depth: 9 })).not.toContain('hunter2');
  });

  it('follow a redirect within their origin', async () => {
    open();
    await get(way, '/to-self');
    expect(seen).toHaveLength(2);
    expect(seen[1]!.headers).toMatchObject({ authorization: 'Bearer hunter2', 'x-api-key': 'hunter2' });
  });

  it('do not follow a redirect either where there is no base URL', async () => {
    const { baseUrl: _none, ...options } = { baseUrl: undefined };
    session = new HttpSession({
      ...options,
      headers: { 'x-api-key': 'hunter2' },
      interceptors: [interceptors.redirect({ maxRedirections: 5 })],
    });
    await get(way, `${home.origin}/to-other`);
    expect(seen[0]!.headers).toMatchObject({ 'x-api-key': 'hunter2' });
    expect(inspect(seen[1], { depth: 9 })).not.toContain('hunter2');
  });

  it('are tried on the same host with another port as on any other', async () => {
    open({ headers: { authorization: 'Bearer hunter2' } });
    await get(way, `${other.origin}/`);
    expect(inspect(seen, { depth: 9 })).not.toContain('hunter2');
  });

  it('refuse a URL with credentials, and do not show it', async () => {
    open();
    const url = home.origin.replace('://', '://user:hunter2@');
    await expect(get(way, url)).rejects.toThrow(
      'the URL of the request has credentials. Give them in its headers.',
    );
    await expect(get(way, `ftp://user:hunter2@host`)).rejects.toThrow('is not one of http: or https:');
    for (const wrong of [url, 'ftp://user:hunter2@host', 'http://user:hunter2@:x']) {
      const error = await get(way, wrong).catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(TypeError);
      expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
    }
  });
});

it('A header that a request gives as undefined is not sent', async () => {
  open();
  await (await session.request('/', { headers: { cookie: undefined } })).body.dump();
  expect(seen[0]!.headers).not.toHaveProperty('cookie');
  expect(seen[0]!.headers).toHaveProperty('authorization');
});

it('Headers may have all the shapes that undici knows', async () => {
  open({ headers: { accept: 'a' } });
  const shapes = [
    ['x', '1', 'y', '2'],
    { x: '1', y: ['2'] },
    new Headers({ x: '1', y: '2' }),
    new Map([
      ['x', '1'],
      ['y', '2'],
    ]),
  ];
  for (const headers of shapes)
    await (await session.request('/', { headers: headers as string[] })).body.dump();
  for (const { headers } of seen) expect(headers).toMatchObject({ x: '1', y: '2', accept: 'a' });
});

describe('A base URL', () => {
  it.each([
    ['', 'users', '/users'],
    ['/v2', 'users?a=1', '/v2/users?a=1'],
    ['/v2/', 'users', '/v2/users'],
    ['/v2', '/users', '/users'],
    ['/v2', '', '/v2/'],
    ['/v2', '/a b?c d#e', '/a%20b?c%20d'],
    ['/v2', '/x/../y', '/y'],
    ['/v2', '/\\evil.invalid/', null],
  ])('%s and %s is %s', async (base, relative, expected) => {
    open({ baseUrl: home.origin + base, acquireTimeout: 1_000 });
    const call = session.request(relative, { timeouts: { total: 2_000 } });
    if (expected === null) {
      // A URL of another host, by the rules of URLs; what counts is that our headers do not go anywhere else.
      await call.catch(() => undefined);
      expect(seen).toEqual([]);
      return;
    }
    await (await call).body.dump();
    expect(seen[0]!.url).toBe(expected);
  });

  it.each([
    'not a url',
    'ftp://host',
    'https://user:hunter2@host',
    'https://host/?token=hunter2',
    'https://host/#x',
    7,
  ])('is not %s', baseUrl => {
    open();
    const make = (): HttpSession => new HttpSession({ name: 'x', baseUrl: baseUrl as string });
    expect(make).toThrow(PoolOptionsError);
    expect(make).toThrow('without credentials, query and fragment');
    expect(make).not.toThrow(/hunter2/);
  });

  it('must be there for credentials', () => {
    open();
    expect(() => new HttpSession({ headers: { Authorization: 'hunter2' } })).toThrow(
      'HttpSession "http": option "headers" is an object; it must be without authorization',
    );
  });

  it('must be there for relative URLs', async () => {
    session = new HttpSession();
    await expect(session.request('/users')).rejects.toThrow('relative, and there is no baseUrl');
    await expect(session.fetch('/users')).rejects.toThrow('relative, and there is no baseUrl');
  });
});

it('A session does not show its headers when it is logged', () => {
  open();
  expect(inspect(session, { depth: 20, showHidden: true })).not.toContain('hunter2');
  expect(JSON.stringify(session.stats())).not.toContain('hunter2');
});
