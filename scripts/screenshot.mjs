// Takes the picture of the live page that the README shows: starts the orders example, sends it some load, and writes
// docs/live-page.png.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { buildExamples } from './build-examples.mjs';

/** Seconds of load before the picture is taken. */
const SECONDS = 75;
const PORT = 3123;
const root = fileURLToPath(new URL('..', import.meta.url));
const target = `${root}docs/live-page.png`;

buildExamples('orders', 'renderer');
const { CHROMIUM_ARGS, chromiumPath } = await import('../dist/examples/renderer/chromium.js');

const shop = spawn(process.execPath, ['dist/examples/orders/main.js'], {
  cwd: root,
  env: { ...process.env, PORT: String(PORT) },
  stdio: ['ignore', 'pipe', 'inherit'],
});
// It goes on to say something: who does not listen any more would end it.
await new Promise((resolve, reject) => {
  shop.once('exit', () => reject(new Error('The shop has not opened.')));
  shop.stdout.on('data', chunk => String(chunk).includes('The shop is open') && resolve());
});
const url = `http://localhost:${PORT}`;
let goesOn = true;
const load = Array.from({ length: 24 }, (_, i) => come(i));

const browser = await chromium.launch({ executablePath: await chromiumPath(), args: [...CHROMIUM_ARGS] });
const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
await page.goto(`${url}/ops/pools`);
await new Promise(resolve => setTimeout(resolve, SECONDS * 1_000));
await page.screenshot({ path: target, fullPage: true });
await browser.close();
goesOn = false;
await Promise.all(load);
shop.kill();
await once(shop, 'exit');
const { width, height } = sizeOf(readFileSync(target));
console.log(`docs/live-page.png: ${width} x ${height}, ${Math.round(statSync(target).size / 1_000)} kB`);

/** Somebody who reads and orders, now more and now less. */
async function come(i) {
  const order = { customer: 'Ada', lines: [{ product: 'Tea', quantity: 2, priceCents: 450 }] };
  for (let n = 0; goesOn; n++) {
    const wish =
      (n + i) % 4 === 0
        ? [
            `${url}/orders`,
            { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(order) },
          ]
        : [`${url}/orders/${1 + ((7 * n + i) % 500)}`];
    await fetch(...wish).then(
      response => response.text(),
      () => undefined,
    );
    const wave = 1 + Math.sin(Date.now() / 6_000);
    await new Promise(resolve => setTimeout(resolve, 4 + wave * 40 * Math.random()));
  }
}

/** A PNG says so in its head. */
function sizeOf(png) {
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}
