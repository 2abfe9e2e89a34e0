import { BadRequestException, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import type { Reach } from './reach.js';

export const REACH = Symbol('reach');

/** What is to be rendered. */
export type RenderRequest = { readonly html: string } | { readonly url: string };

/** Takes HTML, or the URL of a page on an origin that is allowed. */
@Injectable()
export class RenderRequestPipe implements PipeTransform<unknown, RenderRequest> {
  constructor(@Inject(REACH) private readonly reach: Reach) {}

  transform(body: unknown): RenderRequest {
    const { html, url } = (body ?? {}) as { html?: unknown; url?: unknown };
    if (typeof html === 'string' && html !== '' && url === undefined) return { html };
    if (typeof url === 'string' && html === undefined) return { url: this.allowed(url) };
    throw new BadRequestException('Send { "html": "<h1>…</h1>" } or { "url": "https://…" }.');
  }

  private allowed(text: string): string {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && this.reach.origins.has(url.origin)) return url.href;
    throw new BadRequestException('This URL is not of an origin that is allowed: see RENDER_ALLOW.');
  }
}
