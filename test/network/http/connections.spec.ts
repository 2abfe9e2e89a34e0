import { afterEach, describe, expect, it } from '@jest/globals';
import { interceptors } from 'undici';
import { HttpSession } from '../../../src/resources/http.js';
import { httpServer, type CountingServer } from './servers.js';

let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  await session.close();
  // What the client has is one half: at the server nothing may be left either.
  await server.allClosed();
  await server.stop();
});

describe('The connections of a session', () => {
  it.each(['request', 'fetch'] as const)('serve a hundred sequential calls of %s with one', async way => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 100; i++) {
      if (way === 'fetch') expect(await (await session.fetch(`/${i}`)).text()).toBe(`GET /${i}`);
      else expect(await (await session.request(`/${i}`)).body.text()).toBe(`GET /${i}`);
    }
    expect(server.connections).toBe(1);
    expect(server.requests).toHaveLength(100);
  });

  it.each([204, 304])('are reused after a response of %i, which has no body', async status => {
    server = await httpServer((_request, response) => response.writeHead(status).end());
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 20; i++) expect((await session.request('/')).statusCode).toBe(status);
    for (let i = 0; i < 20; i++) expect((await session.fetch('/')).status).toBe(status);
    expect(server.connections).toBe(1);
  });

  it('are not reused after HEAD, to which some servers send a body all the same', async () => {
    server = await httpServer();
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 3; i++) expect((await session.request('/', { method: 'HEAD' })).statusCode).toBe(200);
    expect(server.connections).toBe(3);
    expect(server.peak).toBeLessThanOrEqual(2);
  });

  it('are reused after HEAD where the caller knows its server', async () => {
    server = await httpServer((_request, response) => response.setHeader('connection', 'keep-alive').end());
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 10; i++) await session.request('/', { method: 'HEAD', reset: false });
    expect(server.connections).toBe(1);
  });

  it('end with a response that says so', async () => {
    server = await httpServer((_request, response) => response.setHeader('connection', 'close').end('bye'));
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 10; i++) expect(await (await session.request('/')).body.text()).toBe('bye');
    expect(server.connections).toBe(10);
    await server.allClosed();
  });

  it('are never more than max, however many requests there are at once', async () => {
    server = await httpServer((_request, response) => void setTimeout(() => response.end('slow'), 5));
    session = new HttpSession({ baseUrl: server.origin, max: 4 });
    const texts = await Promise.all(
      Array.from({ length: 60 }, async () => (await session.request('/')).body.text()),
    );
    expect(new Set(texts)).toEqual(new Set(['slow']));
    expect(server.peak).toBeLessThanOrEqual(4);
    expect(server.connections).toBeLessThanOrEqual(4);
    expect(session.stats()).toMatchObject({ leased: 0, waiting: 0 });
  });

  it('are never more than max where each ends with its response', async () => {
    server = await httpServer((_request, response) => response.setHeader('connection', 'close').end('bye'));
    session = new HttpSession({ baseUrl: server.origin, max: 3 });
    await Promise.all(Array.from({ length: 30 }, async () => (await session.request('/')).body.text()));
    expect(server.connections).toBe(30);
    // The server sees the end of one a moment after the client does.
    expect(server.peak).toBeLessThanOrEqual(6);
  });

  it('serve a redirect with the one that has redirected', async () => {
    server = await httpServer((request, response) => {
      if (request.url === '/old') response.writeHead(302, { location: '/new' }).end('moved');
      else response.end(request.url);
    });
    session = new HttpSession({
      baseUrl: server.origin,
      interceptors: [interceptors.redirect({ maxRedirections: 3 })],
    });
    for (let i = 0; i < 20; i++) expect(await (await session.request('/old')).body.text()).toBe('/new');
    for (let i = 0; i < 20; i++) expect(await (await session.fetch('/old')).text()).toBe('/new');
    expect(server.connections).toBe(1);
  });

  it('follow a redirect whose connection ends with it', async () => {
    server = await httpServer((request, response) => {
      if (request.url === '/old')
        response.writeHead(302, { location: '/new', connection: 'close' }).end('moved');
      else response.end(request.url);
    });
    session = new HttpSession({
      baseUrl: server.origin,
      max: 1,
      interceptors: [interceptors.redirect({ maxRedirections: 3 })],
    });
    for (let i = 0; i < 10; i++) expect(await (await session.request('/old')).body.text()).toBe('/new');
    expect(server.connections).toBe(11);
  });
});
