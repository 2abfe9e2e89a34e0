import {
  Injectable,
  StreamableFile,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Readable, pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Client } from 'pg';
import { map, type Observable } from 'rxjs';
import { Custody } from '../custody.js';
import { guestOf, type Guest } from '../guest.js';
import type { Kind } from '../kinds.js';
import { Lines, linesOf, rowsInUse } from '../sources.js';

/** What a handler returns for an interceptor to make a stream of. */
export class Selection {
  constructor(readonly db: Client) {}
}

/** Makes the stream that is sent, in one of three ways. The scope has never seen it before. */
@Injectable()
export class RowsAsFile implements NestInterceptor {
  constructor(private readonly custody: Custody) {}

  intercept(context: ExecutionContext, next: CallHandler<Selection>): Observable<StreamableFile> {
    const guest = guestOf(context);
    return next
      .handle()
      .pipe(map(({ db }) => new StreamableFile(this.streamOf(guest.visit.kind, db, guest))));
  }

  private streamOf(kind: Kind, db: Client, guest: Guest): Readable {
    if (kind === 'made-file') return Readable.from(linesOf(db, guest, this.custody), { objectMode: false });
    const rows = rowsInUse(db, guest, this.custody);
    const lines = new Lines(guest);
    if (kind === 'made-pipeline') return pipeline(rows, lines, () => undefined);
    // `pipe` tells no errors.
    rows.on('error', error => lines.destroy(error));
    return rows.pipe(lines);
  }
}

/** Puts gzip around the stream of the handler. */
@Injectable()
export class Gzip implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler<StreamableFile>): Observable<StreamableFile> {
    const { deep } = guestOf(context).visit;
    return next.handle().pipe(
      map(file => {
        const source = file.getStream();
        const gzip = createGzip({ level: 1 });
        if (deep) return new StreamableFile(pipeline(source, gzip, () => undefined));
        source.on('error', error => gzip.destroy(error));
        return new StreamableFile(source.pipe(gzip));
      }),
    );
  }
}
