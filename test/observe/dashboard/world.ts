import { afterEach } from '@jest/globals';
import { Injectable, type CanActivate, type ExecutionContext, type ModuleMetadata } from '@nestjs/common';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { type Pool, type PoolOptions } from '../../../src/engine/index.js';
import { PoolModule } from '../../../src/module/pool.module.js';
import { PoolRegistry } from '../../../src/module/registry.js';
import { PoolDashboardModule, type PoolDashboardOptions } from '../../../src/dashboard/index.js';
import { forgetLoggers, serve, type Platform, type RunningApp } from '../../support/nest-app.js';

/** Lets in who says the word, as a cookie or in a header. */
@Injectable()
export class WordGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{
      headers: Record<string, string | undefined>;
      user?: unknown;
    }>();
    const { cookie = '', 'x-word': word } = request.headers;
    if (!cookie.includes('word=sesame') && word !== 'sesame') return false;
    request.user = { name: 'Ada' };
    return true;
  }
}

/** A pool of things that cost nothing. */
export function things(
  name: string,
  settings: Partial<PoolOptions<object>> = {},
): PoolOptions<object> & { name: string } {
  return { name, create: () => ({}), max: 4, ...settings } as PoolOptions<object> & { name: string };
}

export type DashboardApp = RunningApp & { readonly registry: PoolRegistry; pool(name: string): Pool<object> };

/** An application with pools and the page. */
export async function serveDashboard(
  options: PoolDashboardOptions,
  pools: (PoolOptions<object> & { name: string })[] = [things('things')],
  {
    platform = 'express',
    metadata = {},
    prepare,
  }: { platform?: Platform; metadata?: ModuleMetadata; prepare?: (app: RunningApp['app']) => unknown } = {},
): Promise<DashboardApp> {
  const { imports = [], ...rest } = metadata;
  const running = await serve(
    platform,
    {
      ...rest,
      imports: [PoolModule.forRoot({ pools: pools }), PoolDashboardModule.forRoot(options), ...imports],
    },
    prepare,
  );
  const registry = running.app.get(PoolRegistry);
  return { ...running, registry, pool: name => registry.require(name) as Pool<object> };
}

/** Serves applications that end with their test, and what else `ends` has, the last first. To be called once in a spec. */
export function servedForATest(): { launch: typeof serveDashboard; ends: (() => unknown)[] } {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    forgetLoggers();
  });
  const launch: typeof serveDashboard = async (...all) => {
    const app = await serveDashboard(...all);
    ends.push(() => app.app.close());
    return app;
  };
  return { launch, ends };
}

/** What is told of one pool. */
export interface ToldPool {
  readonly name: string;
  readonly sample: readonly (number | null)[];
  readonly events?: readonly { readonly kind: string; readonly text: string; readonly stack?: string }[];
}

export interface Told {
  readonly pools: readonly ToldPool[];
  readonly fields: readonly string[];
  readonly token?: string;
}

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly json: Told;
}

/** Reads a stream of events, one after the other. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? '';
      if (event !== undefined) yield { event, data, json: JSON.parse(data) as Told };
    }
  }
}

/** A tab, and what its console says against it. */
export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[]; close: () => Promise<void> }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints, close: () => context.close() };
}

/** The next one. */
export async function next(events: AsyncGenerator<ServerEvent>): Promise<ServerEvent> {
  const result = await events.next();
  if (result.done) throw new Error('the stream has ended');
  return result.value;
}
