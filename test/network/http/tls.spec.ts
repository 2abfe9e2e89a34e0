import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { PoolUnavailableError } from '../../../src/engine/index.js';
import { HttpSession } from '../../../src/resources/http.js';
import { started, type CountingServer } from './servers.js';

/** Signed by itself, for localhost and 127.0.0.1, until the year 2126. */
const read = (name: string): string =>
  readFileSync(new URL(`./certificates/${name}.pem`, import.meta.url), 'utf8');
const cert = read('cert');

let server: CountingServer;
let resumed: boolean[];
let session: HttpSession;

beforeEach(async () => {
  resumed = [];
  const https = createServer({ key: read('key'), cert }, (request, response) => {
    if (request.url === '/last') response.setHeader('connection', 'close');
    response.end(`${request.headers.host}`);
  });
  https.on('secureConnection', (socket: TLSSocket) => resumed.push(socket.isSessionReused()));
  server = await started(https, [], 'https', 'secureConnection');
});

afterEach(async () => {
  await session.close();
  await server.allClosed();
  await server.stop();
});

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'Sessions of %s are resumed, in all but the first handshake',
  async version => {
    session = new HttpSession({
      baseUrl: server.origin,
      tls: { ca: cert, minVersion: version, maxVersion: version },
    });
    for (let i = 0; i < 6; i++) {
      await (await session.request('/last')).body.dump();
      // What nothing holds is collected: sessions are held.
      (globalThis as { gc?: () => void }).gc?.();
    }
    expect(resumed).toEqual([false, true, true, true, true, true]);
  },
);

it('A hundred sequential requests are one handshake', async () => {
  session = new HttpSession({ baseUrl: server.origin, tls: { ca: cert } });
  for (let i = 0; i < 100; i++) await (await session.request('/')).body.dump();
  expect(resumed).toEqual([false]);
});

it.each(['request', 'fetch'] as const)(
  'A host header of a %s does not make a connection of its own',
  async way => {
    session = new HttpSession({ baseUrl: server.origin, tls: { ca: cert } });
    for (let i = 0; i < 4; i++) {
      const headers: Record<string, string> = i % 2 ? { host: `shop-${i}.example` } : {};
      const response = await session[way]('/', { headers });
      await ('text' in response ? response.text() : response.body.text());
    }
    expect(resumed).toEqual([false]);
  },
);

it('A certificate that is not trusted is a failed create that is not tried again and again', async () => {
  session = new HttpSession({ baseUrl: server.origin });
  const error: unknown = await session.fetch('/').catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(PoolUnavailableError);
  expect(error).toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', origin: server.origin } });
  expect(session.stats().totals.createFailed).toBe(1);
});

it('A certificate for another host is refused', async () => {
  session = new HttpSession({ baseUrl: server.origin, tls: { ca: cert, servername: 'other.example' } });
  await expect(session.request('/')).rejects.toMatchObject({
    cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  });
});

it('A key does not appear where a session is logged', async () => {
  const { inspect } = await import('node:util');
  session = new HttpSession({ baseUrl: server.origin, tls: { ca: cert, key: read('key'), cert } });
  expect(inspect(session, { depth: 20, showHidden: true })).not.toContain('PRIVATE KEY');
});
