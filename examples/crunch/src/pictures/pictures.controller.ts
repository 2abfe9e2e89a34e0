import { Controller, Get, Header, Param, ParseIntPipe, UseGuards } from '@nestjs/common';
import { Borrow, BorrowSignal } from 'nestjs-pool';
import { MAX_WIDTH } from '../limits/limits.js';
import { Within } from '../limits/within.guard.js';
import type { Cruncher } from '../workers/workers.module.js';

@Controller('mandelbrot')
export class PicturesController {
  /** A value, not a stream: the worker is free when it has drawn, however slowly the client reads. */
  @Get(':width')
  @Header('Content-Type', 'image/png')
  @UseGuards(Within('width', 16, MAX_WIDTH))
  async draw(
    @Param('width', ParseIntPipe) width: number,
    @Borrow('crunch') worker: Cruncher,
    @BorrowSignal() signal: AbortSignal,
  ): Promise<Buffer> {
    const height = Math.round((width * 3) / 4);
    const { buffer } = await worker.call('mandelbrot', { width, height }, { signal });
    return Buffer.from(buffer);
  }
}
