import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { FormData as UndiciFormData } from 'undici';
import { HttpSession, HttpTimeoutError } from '../../../src/resources/http.js';
import { until } from '../../support/until.js';
import { httpServer, tcpServer, type CountingServer } from './servers.js';

const LARGE = 5_000_000;
let server: CountingServer;
let session: HttpSession;

afterEach(async () => {
  await session.close();
  await server.allClosed();
  await server.stop();
});

function large(): Promise<CountingServer> {
  return httpServer((request, response) => {
    response.end(request.url === '/large' ? Buffer.alloc(LARGE) : 'small');
  });
}

async function leased(count: number): Promise<void> {
  await until(
    () => session.stats().leased,
    now => now === count,
  );
}

describe('A response body', () => {
  it.each(['request', 'fetch'] as const)(
    'that nobody reads does not hold its connection for ever, of %s',
    async way => {
      server = await large();
      session = new HttpSession({ baseUrl: server.origin, max: 1, timeouts: { body: 60 } });
      const response = await session[way]('/large');
      expect(session.stats().leased).toBe(1);
      expect(await (await session.request('/small')).body.text()).toBe('small');
      expect(server.connections).toBe(2);
      // And its owner is told what has become of it.
      const read = 'text' in response ? response.text() : response.body.text();
      const error = await read.then(
        () => undefined,
        (failure: unknown) => failure as Error,
      );
      expect(error instanceof HttpTimeoutError ? error : error?.cause).toMatchObject({
        phase: 'body',
        timeout: 60,
      });
    },
  );

  it('that is small gives its connection back, whether anybody reads it or not', async () => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin, max: 1 });
    for (let i = 0; i < 20; i++) await session.request('/small');
    await leased(0);
    expect(server.connections).toBe(1);
  });

  it('that is read slowly is not timed out as long as it goes on', async () => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin, timeouts: { body: 1_000 } });
    const { body } = await session.request('/large');
    let length = 0;
    let pauses = 0;
    for await (const chunk of body) {
      length += (chunk as Buffer).length;
      // In all more than the limit, and each time much less.
      if (length < ((pauses + 1) * LARGE) / 8) continue;
      pauses++;
      await new Promise(resolve => setTimeout(resolve, 150));
    }
    expect(pauses).toBe(8);
    expect(length).toBe(LARGE);
    await leased(0);
    expect(session.stats().idle).toBe(1);
  });

  it('that breaks off fails for its reader, and its connection is not used again', async () => {
    server = await tcpServer(socket =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it'),
    );
    session = new HttpSession({ baseUrl: server.origin });
    const { body } = await session.request('/');
    await expect(body.text()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    await leased(0);
    expect(session.stats().idle).toBe(0);
  });

  it('that is not HTTP fails, and its connection is not used again', async () => {
    server = await tcpServer(socket => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
    session = new HttpSession({ baseUrl: server.origin });
    await expect(session.request('/')).rejects.toMatchObject({ code: /^HPE_/ as unknown as string });
    await leased(0);
    expect(session.stats().total).toBe(0);
  });

  it('that its reader gives up takes its connection with it', async () => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin });
    const { body } = await session.request('/large');
    body.on('error', () => undefined).destroy();
    await leased(0);
    const response = await session.fetch('/large');
    await response.body?.cancel();
    await leased(0);
    await until(
      () => session.stats().total,
      total => total === 0,
    );
  });
});

describe('An abort', () => {
  it.each(['request', 'fetch'] as const)('before %s costs no connection', async way => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin });
    await (await session.request('/small')).body.dump();
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(session[way]('/', { signal })).rejects.toThrow('never mind');
    await leased(0);
    await (await session.request('/small')).body.dump();
    expect(server.connections).toBe(1);
    expect(server.requests).toEqual(['GET /small', 'GET /small']);
  });

  it.each(['request', 'fetch'] as const)('of %s leaves the queue at once', async way => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin, max: 1 });
    const first = await session.request('/large');
    const aborter = new AbortController();
    const second = session[way]('/second', { signal: aborter.signal });
    expect(session.stats().waiting).toBe(1);
    aborter.abort(new Error('never mind'));
    await expect(second).rejects.toThrow('never mind');
    expect(session.stats().waiting).toBe(0);
    await first.body.dump({ limit: 2 * LARGE });
    expect(server.requests).toEqual(['GET /large']);
  });

  it.each(['request', 'fetch'] as const)('of %s while the server thinks ends the connection', async way => {
    server = await httpServer(() => undefined);
    session = new HttpSession({ baseUrl: server.origin });
    const aborter = new AbortController();
    const call = session[way]('/', { signal: aborter.signal });
    await until(
      () => server.requests.length,
      length => length === 1,
    );
    aborter.abort(new Error('never mind'));
    await expect(call).rejects.toThrow('never mind');
    await leased(0);
    await server.allClosed();
  });

  it('after the response does nothing', async () => {
    server = await large();
    session = new HttpSession({ baseUrl: server.origin });
    const aborter = new AbortController();
    await (await session.request('/small', { signal: aborter.signal })).body.dump();
    await (await session.fetch('/small', { signal: aborter.signal })).text();
    aborter.abort();
    await (await session.request('/small')).body.dump();
    expect(server.connections).toBe(1);
  });
});

describe('An upload', () => {
  function echo(): Promise<CountingServer> {
    return httpServer((request, response) => void request.pipe(response));
  }

  it('is streamed, and its connection used again', async () => {
    server = await echo();
    session = new HttpSession({ baseUrl: server.origin });
    for (let i = 0; i < 5; i++) {
      const body = Readable.from(['a', 'b', 'c']);
      expect(await (await session.request('/', { method: 'POST', body })).body.text()).toBe('abc');
    }
    const stream = new Blob(['web']).stream();
    expect(await (await session.fetch('/', { method: 'POST', body: stream, duplex: 'half' })).text()).toBe(
      'web',
    );
    expect(server.connections).toBe(1);
  });

  it('that fails half-way fails its request, and ends the connection', async () => {
    server = await echo();
    session = new HttpSession({ baseUrl: server.origin });
    const body = new Readable({ read: () => undefined });
    const call = session.request('/', { method: 'POST', body });
    body.push('half');
    await until(
      () => server.requests.length,
      length => length === 1,
    );
    body.destroy(new Error('the disk is gone'));
    await expect(call.then(({ body: answer }) => answer.text())).rejects.toThrow('the disk is gone');
    await leased(0);
    await server.allClosed();
  });

  it('whose own source is slow is not the fault of the server', async () => {
    server = await httpServer((request, response) => {
      if (request.method === 'POST') request.resume().once('end', () => response.end('thanks'));
    });
    session = new HttpSession({ baseUrl: server.origin, timeouts: { headers: 30 } });
    const body = new Readable({ read: () => undefined });
    const call = session.request('/', { method: 'POST', body });
    body.push('first');
    // A server that does not answer: as much time has passed as would be too much for the other, and again.
    for (let i = 0; i < 3; i++) await expect(session.request('/')).rejects.toThrow(/timeout|headers/i);
    body.push('last');
    body.push(null);
    expect(await (await call).body.text()).toBe('thanks');
  });

  it('that the server answers before it is complete does not spoil the next request', async () => {
    server = await httpServer((request, response) => {
      if (request.method === 'POST') response.writeHead(413).end('too large');
      else response.end('fine');
    });
    session = new HttpSession({ baseUrl: server.origin });
    const body = new Readable({ read: () => undefined });
    body.on('error', () => undefined);
    const closed = once(body, 'close');
    body.push('much');
    const response = await session.request('/', { method: 'POST', body });
    expect(response.statusCode).toBe(413);
    await response.body.dump();
    await closed;
    expect(await (await session.request('/')).body.text()).toBe('fine');
    expect(server.connections).toBe(2);
  });

  it.each(['request', 'fetch'] as const)(
    'that is a form is sent as one, whosever class it is of, by %s',
    async way => {
      server = await httpServer((request, response) => {
        response.setHeader('x-type', request.headers['content-type'] ?? '');
        request.pipe(response);
      });
      session = new HttpSession({ baseUrl: server.origin });
      for (const Form of [FormData, UndiciFormData]) {
        const body = new Form();
        body.append('name', 'value');
        body.append('file', new Blob(['content']), 'a.txt');
        const response = await session[way]('/', { method: 'POST', body });
        const type = 'text' in response ? response.headers.get('x-type') : response.headers['x-type'];
        const text = await ('text' in response ? response.text() : response.body.text());
        expect(type).toMatch(/^multipart\/form-data; boundary=/);
        expect(text).toMatch(/name="name"\r\n\r\nvalue\r\n/);
        expect(text).toMatch(/name="file"; filename="a.txt"\r\n[^]*content\r\n/);
      }
    },
  );

  it('goes with headers of Node, too', async () => {
    server = await httpServer((request, response) => response.end(request.headers['x-own']));
    session = new HttpSession({ baseUrl: server.origin });
    const headers = new Headers({ 'x-own': 'yes' });
    const response = await session.fetch('/', { method: 'POST', body: new Blob(['content']), headers });
    expect(await response.text()).toBe('yes');
  });
});
