import { Controller, Get, Headers, StreamableFile, type Type } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { of, type Observable } from 'rxjs';
import type { Platform } from '../nest-app.js';
import { NEST_MAJOR } from '../nest-major.js';
import { Borrower, Given, WAYS } from './services.js';
import {
  StagedSource,
  hugeGenerator,
  stagedGenerator,
  stagedWebStream,
  type SourceOptions,
} from './sources.js';
import type { Thing } from './thing.js';

const BODIES = ['file', 'readable', 'generator', 'iterable', 'web-stream', 'web-response', 'observed-file'];

/** Of the rest 11 makes JSON; what becomes of their sources is in unread.spec.ts. */
const STREAMED_BY_11: Readonly<Record<Platform, readonly string[]>> = {
  express: ['file', 'observed-file'],
  fastify: ['file', 'readable', 'web-stream', 'web-response', 'observed-file'],
};

/** Those kinds of bodies, or all, that this version of NestJS streams on a platform. */
export function streamed(platform: Platform, kinds = BODIES): string[] {
  return kinds.filter(kind => NEST_MAJOR >= 12 || STREAMED_BY_11[platform].includes(kind));
}

/** Handlers that answer with a stream, of which the test decides when its source has closed. */
export const bodyControllers = WAYS.map((way): Type => {
  @Controller(way)
  class Bodies extends Borrower {
    private async options(given: Thing | undefined, failsAt = 'never'): Promise<SourceOptions> {
      return { stage: this.stage, thing: await this.thing(given), failsAt: Number(failsAt) };
    }

    @Get('file')
    async file(@Headers('x-fails-at') failsAt: string, @Given(way) given?: Thing): Promise<StreamableFile> {
      return new StreamableFile(new StagedSource(await this.options(given, failsAt)));
    }

    @Get('readable')
    async readable(@Headers('x-fails-at') failsAt: string, @Given(way) given?: Thing): Promise<Readable> {
      return new StagedSource(await this.options(given, failsAt));
    }

    @Get('generator')
    async generator(
      @Headers('x-fails-at') failsAt: string,
      @Given(way) given?: Thing,
    ): Promise<AsyncGenerator<Buffer>> {
      return stagedGenerator(await this.options(given, failsAt));
    }

    @Get('iterable')
    async iterable(
      @Headers('x-fails-at') failsAt: string,
      @Given(way) given?: Thing,
    ): Promise<AsyncIterable<Buffer>> {
      const generator = stagedGenerator(await this.options(given, failsAt));
      return { [Symbol.asyncIterator]: () => generator };
    }

    @Get('web-stream')
    async webStream(
      @Headers('x-fails-at') failsAt: string,
      @Given(way) given?: Thing,
    ): Promise<ReadableStream<Uint8Array>> {
      return stagedWebStream(await this.options(given, failsAt));
    }

    @Get('web-response')
    async webResponse(
      @Headers('x-fails-at') failsAt: string,
      @Given(way) given?: Thing,
    ): Promise<globalThis.Response> {
      return new globalThis.Response(stagedWebStream(await this.options(given, failsAt)));
    }

    @Get('observed-file')
    async observedFile(
      @Headers('x-fails-at') failsAt: string,
      @Given(way) given?: Thing,
    ): Promise<Observable<StreamableFile>> {
      return of(new StreamableFile(new StagedSource(await this.options(given, failsAt))));
    }

    @Get('huge-generator')
    async hugeGenerator(@Given(way) given?: Thing): Promise<AsyncGenerator<Buffer>> {
      return hugeGenerator(await this.options(given));
    }

    @Get('late-generator')
    async lateGenerator(@Given(way) given?: Thing): Promise<AsyncGenerator<string>> {
      await this.thing(given);
      await this.stage.pass('handler');
      return (async function* () {
        yield await Promise.resolve('never read');
      })();
    }
  }
  return Bodies;
});
