import {
  Catch,
  Controller,
  Get,
  Injectable,
  StreamableFile,
  UseFilters,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { PassThrough, Transform, pipeline, type Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { concat, defer, from, ignoreElements, map, mergeMap, of, type Observable } from 'rxjs';
import { BorrowScopes } from '../../../src/index.js';
import { Stage } from '../stage.js';
import { Facade } from './services.js';
import { CHUNK, StagedSource } from './sources.js';

/** Streams that are not made by a handler alone. Their sources close only when the test opens "source". */
@Injectable()
export class Streams {
  constructor(
    private readonly facade: Facade,
    readonly stage: Stage,
    private readonly scopes: BorrowScopes,
  ) {}

  async rows(): Promise<Readable> {
    return new StagedSource({ stage: this.stage, thing: await this.facade.get(), failsAt: NaN });
  }

  /** Rows that are waited for until they have closed. */
  async vouchedRows(): Promise<Readable> {
    return this.scopes.until(await this.rows());
  }

  async pipelined(): Promise<Readable> {
    const made = upperCase();
    pipeline(await this.rows(), made, () => undefined);
    return made;
  }

  async piped(): Promise<Readable> {
    return (await this.rows()).pipe(upperCase());
  }

  /** A loop that does not look whether anybody reads what it writes. */
  async written(tell: 'nothing' | 'the end' | 'what to wait for'): Promise<Readable> {
    const thing = await this.facade.get();
    const out = new PassThrough();
    out.on('error', () => undefined);
    const loop = async (): Promise<void> => {
      out.write(Buffer.alloc(CHUNK, 'x'));
      await this.stage.pass('loop');
      // Only what is lent for sure may be used: the test looks for that.
      if (tell !== 'nothing') thing.use();
      this.stage.note('loop is over');
      if (tell === 'the end') out.end();
    };
    const work = loop();
    if (tell === 'what to wait for') void this.scopes.until(work);
    return out;
  }
}

const upperCase = (): Transform =>
  new Transform({
    transform: (chunk: Buffer, _, done) => {
      done(null, chunk.toString('latin1').toUpperCase());
    },
  });

/** Makes a stream of what a handler says that is to be streamed. */
@Injectable()
class RowsInterceptor implements NestInterceptor {
  constructor(private readonly streams: Streams) {}
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(mergeMap(async () => new StreamableFile(await this.streams.rows())));
  }
}

/** As the one before, with rows that are there already. */
@Injectable()
class MappingInterceptor implements NestInterceptor {
  constructor(private readonly streams: Streams) {}
  async intercept(_: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const rows = await this.streams.rows();
    return next.handle().pipe(map(() => new StreamableFile(rows)));
  }
}

/** Has something to do after its stream, which is not sent before. */
@Injectable()
class LateInterceptor implements NestInterceptor {
  constructor(private readonly streams: Streams) {}
  async intercept(_: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const rows = await this.streams.rows();
    const file = next.handle().pipe(map(() => new StreamableFile(rows)));
    return concat(file, defer(() => this.streams.stage.pass('late')).pipe(ignoreElements()));
  }
}

const GZIP: NestInterceptor = {
  intercept: (_, next) =>
    next.handle().pipe(
      map((file: StreamableFile) => {
        const gzip = createGzip({ level: 0 });
        pipeline(file.getStream(), gzip, () => undefined);
        return new StreamableFile(gzip);
      }),
    ),
};

/** By `pipe`, which leaves the file open when nobody reads on. */
const LEAKY_GZIP: NestInterceptor = {
  intercept: (_, next) =>
    next
      .handle()
      .pipe(
        map((file: StreamableFile) => new StreamableFile(file.getStream().pipe(createGzip({ level: 0 })))),
      ),
};

@Catch()
class SendingFilter implements ExceptionFilter {
  constructor(
    private readonly streams: Streams,
    private readonly adapters: HttpAdapterHost,
  ) {}
  async catch(_: Error, host: ArgumentsHost): Promise<void> {
    const rows = await this.streams.rows();
    this.adapters.httpAdapter.reply(
      host.switchToHttp().getResponse<ServerResponse>(),
      new StreamableFile(rows),
      500,
    );
  }
}

@Controller()
class StreamsController {
  constructor(private readonly streams: Streams) {}

  @Get('made') @UseInterceptors(RowsInterceptor) made(): string {
    return 'orders';
  }
  @Get('made-of-observable') @UseInterceptors(RowsInterceptor) madeOfObservable(): Observable<string> {
    return from(Promise.resolve('orders'));
  }
  @Get('mapped') @UseInterceptors(MappingInterceptor) mapped(): string {
    return 'orders';
  }
  @Get('late') @UseInterceptors(LateInterceptor) late(): Observable<string> {
    return of('orders');
  }
  @Get('gzip') @UseInterceptors(GZIP) async zipped(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.rows());
  }
  @Get('leaky-gzip') @UseInterceptors(LEAKY_GZIP) async leakilyZipped(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.rows());
  }
  @Get('filter') @UseFilters(SendingFilter) filtered(): never {
    throw new Error('no');
  }
  @Get('pipelined') async pipelined(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.pipelined());
  }
  @Get('piped') async piped(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.piped());
  }
  @Get('vouched-and-failed') async vouchedAndFailed(): Promise<StreamableFile> {
    await this.streams.vouchedRows();
    throw new Error('no');
  }
  @Get('loop-ends') async loop(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.written('the end'));
  }
  @Get('loop-is-waited-for') async loopWaitedFor(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.written('what to wait for'));
  }
  @Get('loop-never-ends') async loopForgets(): Promise<StreamableFile> {
    return new StreamableFile(await this.streams.written('nothing'));
  }
}

export const interceptorStreams = {
  controllers: [StreamsController],
  providers: [Streams, RowsInterceptor, MappingInterceptor, LateInterceptor, SendingFilter],
};
