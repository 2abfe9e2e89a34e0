import { Controller, Get, Sse, StreamableFile } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { NEVER, concat, of, type Observable } from 'rxjs';
import { Borrower } from './services.js';
import { StagedSource, stagedGenerator, stagedWebStream, type SourceOptions } from './sources.js';

/** Handlers that have their thing, and make their answer when the test opens "work". */
@Controller('late')
class LateController extends Borrower {
  @Get('value') async value(): Promise<string> {
    const { thing } = await this.work();
    thing.use();
    return 'done';
  }
  @Get('failure') async failure(): Promise<never> {
    await this.work();
    throw new Error('no');
  }
  @Get('observed-value') async observedValue(): Promise<Observable<string>> {
    return of(await this.value());
  }
  @Get('file') async file(): Promise<StreamableFile> {
    return new StreamableFile(new StagedSource(await this.work()));
  }
  @Get('readable') async readable(): Promise<Readable> {
    return new StagedSource(await this.work());
  }
  @Get('generator') async generator(): Promise<AsyncGenerator<Buffer>> {
    return stagedGenerator(await this.work());
  }
  @Get('iterable') async iterable(): Promise<AsyncIterable<Buffer>> {
    const generator = stagedGenerator(await this.work());
    return { [Symbol.asyncIterator]: () => generator };
  }
  @Get('web-stream') async webStream(): Promise<ReadableStream<Uint8Array>> {
    return stagedWebStream(await this.work());
  }
  @Get('web-response') async webResponse(): Promise<Response> {
    return new Response(stagedWebStream(await this.work()));
  }
  @Get('observed-file') async observedFile(): Promise<Observable<StreamableFile>> {
    return of(await this.file());
  }
  @Sse('events') async events(): Promise<Observable<{ data: string }>> {
    return of({ data: await this.value() });
  }
  @Sse('endless-events') async endlessEvents(): Promise<Observable<{ data: string }>> {
    return concat(await this.events(), NEVER);
  }
  @Sse('failed-events') async failedEvents(): Promise<Observable<never>> {
    return this.failure();
  }

  /** Borrows nothing, and keeps the answers behind it on its connection waiting for their turn. */
  @Get('first') async first(): Promise<string> {
    await this.stage.pass('first');
    return 'first';
  }

  private async work(): Promise<SourceOptions> {
    const thing = await this.thing(undefined);
    await this.stage.pass('work');
    return { stage: this.stage, thing, failsAt: -1 };
  }
}

/** What it has: all of them end by themselves, or can be told to, when nobody is there to take them. */
export const LATE_ANSWERS = [
  ...['value', 'failure', 'observed-value', 'file', 'readable', 'generator', 'iterable', 'web-stream'],
  ...['web-response', 'observed-file', 'events', 'endless-events', 'failed-events'],
];
export const lateAnswers = { controllers: [LateController] };
