import { Controller, Get, Header } from '@nestjs/common';
import { InjectPool, type Pool, type PoolStats } from 'nestjs-pool';
import type { BrowserContext } from 'playwright-core';

const INVOICE = `<!doctype html><style>body{font:16px sans-serif;margin:40px}td{padding:4px 24px 4px 0}</style>
<h1>Invoice 42</h1><table><tr><td>Three apples</td><td>1.50</td></tr><tr><td>One pear</td><td>0.80</td></tr></table>`;
const CLOCK = `<!doctype html><body style="font:48px sans-serif;margin:40px"><script>
document.body.textContent = 'Rendered at ' + new Date().toISOString()</script>`;

/** For whoever looks at it with a browser of their own. */
@Controller()
export class WelcomeController {
  constructor(@InjectPool('pages') private readonly pool: Pool<BrowserContext>) {}

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return PAGE;
  }

  @Get('pools')
  stats(): PoolStats {
    return this.pool.stats();
  }
}

const PAGE = `<!doctype html><html lang="en"><title>Renderer</title>
<style>body{font:16px sans-serif;margin:2em;max-width:60em}textarea{width:100%;height:9em}iframe{width:100%;height:40em}</style>
<h1>Renderer</h1>
<p><button data-sample="0">An invoice</button> <button data-sample="1">A page with a script</button></p>
<textarea></textarea>
<p><button data-kind="pdf">PDF</button> <button data-kind="png">PNG</button> <span id="told"></span></p>
<iframe></iframe>
<script>
const samples = ${JSON.stringify([INVOICE, CLOCK]).replaceAll('<', '\\u003c')};
const text = document.querySelector('textarea');
text.value = samples[0];
for (const button of document.querySelectorAll('[data-sample]'))
  button.onclick = () => { text.value = samples[button.dataset.sample]; };
for (const button of document.querySelectorAll('[data-kind]'))
  button.onclick = async () => {
    const began = performance.now();
    const answer = await fetch(button.dataset.kind, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ html: text.value }),
    });
    told.textContent = answer.status + ' in ' + Math.round(performance.now() - began) + ' ms';
    document.querySelector('iframe').src = URL.createObjectURL(await answer.blob());
  };
</script></html>`;
