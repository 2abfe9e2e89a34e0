import {
  Body,
  Controller,
  HttpCode,
  Post,
  StreamableFile,
  UnprocessableEntityException,
} from '@nestjs/common';
import { Borrow, BorrowSignal } from 'nestjs-pool';
import type { BrowserContext, Page } from 'playwright-core';
import { RenderRequestPipe, type RenderRequest } from './render-request.js';

/** Milliseconds that a page has for everything. */
const PATIENCE = 10_000;

@Controller()
export class RenderController {
  @Post('pdf')
  @HttpCode(200)
  async pdf(
    @Body(RenderRequestPipe) wanted: RenderRequest,
    @Borrow('pages') context: BrowserContext,
    @BorrowSignal() signal: AbortSignal,
  ): Promise<StreamableFile> {
    const page = await open(context, wanted, signal);
    return new StreamableFile(await page.pdf({ format: 'A4', printBackground: true }), {
      type: 'application/pdf',
    });
  }

  @Post('png')
  @HttpCode(200)
  async png(
    @Body(RenderRequestPipe) wanted: RenderRequest,
    @Borrow('pages') context: BrowserContext,
    @BorrowSignal() signal: AbortSignal,
  ): Promise<StreamableFile> {
    const page = await open(context, wanted, signal);
    return new StreamableFile(await page.screenshot(), { type: 'image/png' });
  }
}

async function open(context: BrowserContext, wanted: RenderRequest, signal: AbortSignal): Promise<Page> {
  signal.throwIfAborted();
  // The client has left, or the browser has gone: nobody waits for the rest.
  signal.addEventListener('abort', () => void context.close().catch(() => undefined), { once: true });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  if ('html' in wanted) {
    await page.setContent(wanted.html);
    return page;
  }
  try {
    await page.goto(wanted.url);
  } catch (error) {
    throw new UnprocessableEntityException('The page could not be loaded.', { cause: error });
  }
  return page;
}
