import { Get, Inject, Logger, Param, Post, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { currentScope } from '../scope/index.js';
import { PoolRegistry } from '../module/registry.js';
import { ActionRefused, act } from './actions.js';
import { bodyOf, callerOf, streamOf, type AnyRequest, type AnyResponse } from './exchange.js';
import { DashboardFeed } from './feed.js';
import { DASHBOARD_OPTIONS, type Settings } from './options.js';
import { readPage } from './page-files.js';
import { isFromElsewhere, isSameOrigin, isToken } from './same-origin.js';

/** What comes after the path of the page, as the platform calls it. */
export interface RestOfPath {
  readonly file?: string;
  readonly '*'?: string;
}

/** So many may look at once. */
const VIEWERS = 50;

/** Nothing is loaded from elsewhere, nothing of the page is shown elsewhere, and nothing runs that is in no file of it. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex',
  'Referrer-Policy': 'no-referrer',
};

/**
 * The routes of `PoolDashboardModule`; a guard may know them by this class: `context.getClass().prototype instanceof
 * PoolDashboardController`. They answer themselves, so that no interceptor of the application can turn a page into something else.
 */
export abstract class PoolDashboardController {
  private readonly logger = new Logger('PoolDashboard');
  private readonly page = readPage();
  /** Where the page is, seen from itself without a slash at its end. */
  protected abstract readonly lastSegment: string;

  constructor(
    @Inject(DashboardFeed) private readonly feed: DashboardFeed,
    @Inject(PoolRegistry) private readonly registry: PoolRegistry,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(DASHBOARD_OPTIONS) private readonly settings: Settings,
  ) {
    const { httpAdapter } = adapterHost as { httpAdapter: HttpAdapterHost['httpAdapter'] | undefined };
    if (httpAdapter?.getType() === 'fastify')
      takeSlash(Object.getPrototypeOf(this) as PoolDashboardController);
  }

  @Get()
  show(@Req() request: AnyRequest, @Res() response: AnyResponse): void {
    this.file('index.html', request, response);
  }

  /** The page is live: one event a second, for as long as it is open and the application runs. */
  @Get('events')
  events(@Req() request: AnyRequest, @Res() response: AnyResponse): void {
    if (isFromElsewhere(request.headers)) {
      this.refuse(response, new ActionRefused(403, 'Only the page itself may ask for this.'));
      return;
    }
    if (this.feed.viewing >= VIEWERS) {
      this.json(response, 503, { error: `${VIEWERS} pages are open already.` });
      return;
    }
    const raw = streamOf(response);
    // What a guard has borrowed must not be kept for as long as somebody looks.
    currentScope(this.registry)?.answerNeedsNothing();
    if (request.method === 'HEAD') {
      raw.end();
      return;
    }
    let flows = true;
    raw.on('drain', () => (flows = true));
    // The connection may break, and then there is nobody to tell.
    raw.on('error', () => undefined);
    raw.write('retry: 2000\n\n');
    const leave = this.feed.join({
      send: (event, data) => {
        if (!flows) return false;
        flows = raw.write(`event: ${event}\ndata: ${data}\n\n`);
        return true;
      },
      end: () => raw.end('event: bye\ndata: {}\n\n'),
    });
    raw.once('close', leave);
    if (raw.destroyed) leave();
  }

  @Post('actions')
  async act(@Req() request: AnyRequest, @Res() response: AnyResponse): Promise<void> {
    try {
      this.allow(request);
      const { pool, text } = act(this.registry, await bodyOf(request));
      const caller = callerOf(request);
      this.logger.warn(`Pool "${pool.name}": ${text} by ${caller}`);
      this.feed.note(pool, `${text} by ${caller}`);
      this.json(response, 200, { done: `${pool.name}: ${text}` });
    } catch (error) {
      if (!(error instanceof ActionRefused)) throw error;
      this.refuse(response, error);
    }
  }

  @Get(':file')
  asset(@Param() rest: RestOfPath, @Req() request: AnyRequest, @Res() response: AnyResponse): void {
    const name = rest.file ?? rest['*'] ?? '';
    this.file(name === '' ? 'index.html' : name, request, response);
  }

  /** @throws ActionRefused */
  private allow({ headers }: AnyRequest): void {
    if (!this.settings.actions) throw new ActionRefused(404, 'There are no actions here.');
    if (!isSameOrigin(headers)) throw new ActionRefused(403, 'Only the page itself may ask for this.');
    if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
      throw new ActionRefused(415, 'The body has to be application/json.');
    }
    if (!isToken(headers['x-pool-token'], this.feed.token)) {
      throw new ActionRefused(
        403,
        'The token is not that of this application; it may have been started anew. Try again.',
      );
    }
  }

  private file(name: string, request: AnyRequest, response: AnyResponse): void {
    const file = this.page.get(name);
    if (!file) {
      this.json(response, 404, { error: 'There is no such file.' });
      return;
    }
    const [path = ''] = (request.originalUrl ?? request.url).split('?', 1);
    const base = path.endsWith('/') ? './' : `./${this.lastSegment}/`;
    this.send(
      response,
      200,
      file.type,
      name === 'index.html' ? file.text.replaceAll('{{base}}', base) : file.text,
    );
  }

  private refuse(response: AnyResponse, { status, message }: ActionRefused): void {
    this.json(response, status, { error: message });
  }

  private json(response: AnyResponse, status: number, body: object): void {
    this.send(response, status, 'application/json; charset=utf-8', JSON.stringify(body));
  }

  private send(response: AnyResponse, status: number, type: string, text: string): void {
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries({ ...HEADERS, 'Content-Type': type })) {
      httpAdapter.setHeader(response, name, value);
    }
    httpAdapter.reply(response, text, status);
  }
}

/**
 * Express takes the page with a slash at its end for the page; Fastify does not, and Nest gives it no name that is empty. A second
 * route would be refused where Fastify is told to ignore such a slash; one for all that follows is none.
 */
function takeSlash(routes: PoolDashboardController): void {
  const value = function (
    this: PoolDashboardController,
    ...all: Parameters<PoolDashboardController['asset']>
  ): void {
    PoolDashboardController.prototype.asset.apply(this, all);
  };
  Object.defineProperty(routes, 'asset', { configurable: true, writable: true, value });
  Get('*')(routes, 'asset', { value });
}
