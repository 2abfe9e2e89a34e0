import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { isPrivate, reachOf } from '../../examples/renderer/src/reach.js';
import type { PoolStats } from '../../src/index.js';
import { describeWithChromium } from '../support/chromium.js';
import { until } from '../support/until.js';
import { ExampleProcess } from './example-process.js';

const describeHere = await describeWithChromium();

/** What was asked of the servers that a page may, and may not, reach. */
const asked: string[] = [];
const servers: Server[] = [];
let app: ExampleProcess;
let allowed: string;
let forbidden: string;

async function serve(name: string, target?: () => string): Promise<string> {
  const server = createServer((request, response) => {
    asked.push(`${name} ${request.url ?? ''}`);
    const location = request.url === '/away' ? target?.() : undefined;
    if (location !== undefined) response.writeHead(302, { location });
    response.end('<h1>here</h1>');
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function render(kind: string, body: unknown): Promise<{ status: number; type: string; bytes: Buffer }> {
  const answer = await fetch(`${app.url}/${kind}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', bytes };
}

describeHere('the example that renders', () => {
  beforeAll(async () => {
    forbidden = await serve('forbidden');
    allowed = await serve('allowed', () => forbidden);
    app = await new ExampleProcess('renderer', { RENDER_ALLOW: allowed, RENDER_ALLOW_PRIVATE: '1' }).opened(
      '/pools\n',
    );
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('makes PDFs and pictures of HTML', async () => {
    const pdf = await render('pdf', { html: '<h1>Hello</h1>' });
    expect(pdf).toMatchObject({ status: 200, type: 'application/pdf' });
    expect(pdf.bytes.subarray(0, 5).toString()).toBe('%PDF-');
    const png = await render('png', { html: '<h1>Hello</h1>' });
    expect(png).toMatchObject({ status: 200, type: 'image/png' });
    expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
  });

  it('has a page to try it on', async () => {
    expect(await (await fetch(app.url)).text()).toContain('<textarea>');
  });

  it('loads pages of origins that are allowed, and no others', async () => {
    expect((await render('png', { url: `${allowed}/page` })).status).toBe(200);
    expect(asked).toContain('allowed /page');
    for (const url of [
      `${forbidden}/`,
      'file:///etc/passwd',
      'chrome://version',
      'http://169.254.169.254/',
      'x',
    ]) {
      expect((await render('pdf', { url })).status).toBe(400);
    }
    for (const body of [{}, { html: 5 }, { html: 'x', url: allowed }]) {
      expect((await render('pdf', body)).status).toBe(400);
    }
  });

  it('reaches nothing else from within a page: not by a redirect, a picture, a script or a frame', async () => {
    expect((await render('png', { url: `${allowed}/away` })).status).toBe(422);
    const html = `<img src="${forbidden}/img"><iframe src="${forbidden}/frame"></iframe>
      <img src="${allowed}/img"><script>fetch('${forbidden}/fetch', { mode: 'no-cors' }).catch(() => {})</script>`;
    expect((await render('png', { html })).status).toBe(200);
    expect(asked).toContain('allowed /img');
    expect(asked.filter(request => request.startsWith('forbidden'))).toEqual([]);
  });

  it('serves more requests than it has contexts, and has all of them back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => render('png', { html: `<h1>${i}</h1>` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(16).fill(200));
    await until(
      async () => (await (await fetch(`${app.url}/pools`)).json()) as PoolStats,
      ({ leased, waiting }) => leased === 0 && waiting === 0,
    );
  });

  it('says what is missing where Chromium does not start', async () => {
    await using broken = new ExampleProcess('renderer', { CHROMIUM_PATH: '/does/not/exist' });
    expect((await broken.exit).code).toBe(1);
    expect(broken.output).toContain('Chromium does not start here');
    expect(broken.output).toContain('libnss3');
  });

  it('ends with its browsers', async () => {
    app.kill('SIGTERM');
    expect((await app.exit).code).toBe(0);
  });
});

it('hosts with private addresses are refused', async () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '0.0.0.0',
    '::1',
  ]) {
    expect([address, isPrivate(address)]).toEqual([address, true]);
  }
  expect(isPrivate('93.184.216.34')).toBe(false);
  await expect(reachOf(['http://127.0.0.1:80'], false)).rejects.toThrow('private address 127.0.0.1');
  await expect(reachOf(['file:///etc'], false)).rejects.toThrow('not of http');
});
