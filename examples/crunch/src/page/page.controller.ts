import { readFileSync } from 'node:fs';
import { Controller, Get, Header } from '@nestjs/common';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const [page, script, style] = [read('index.html'), read('page.js'), read('page.css')];

/** Nothing but what this server has itself, nothing inline, and in nobody's frame. */
const POLICY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src'].map(kind => `${kind} 'self'`),
  ...['base-uri', 'form-action', 'frame-ancestors'].map(kind => `${kind} 'none'`),
].join('; ');

@Controller()
export class PageController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', POLICY)
  @Header('X-Content-Type-Options', 'nosniff')
  @Header('Referrer-Policy', 'no-referrer')
  page(): string {
    return page;
  }

  @Get('page.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  @Header('X-Content-Type-Options', 'nosniff')
  script(): string {
    return script;
  }

  @Get('page.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  @Header('X-Content-Type-Options', 'nosniff')
  style(): string {
    return style;
  }
}
