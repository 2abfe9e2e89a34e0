import { Transform, finished, pipeline, type Readable, type TransformCallback } from 'node:stream';

/** Makes lines of CSV (RFC 4180) of arrays of values. Reads all of the source, unless it is destroyed before. */
export class CsvLines extends Transform {
  constructor(
    header: readonly string[],
    private readonly source: Readable,
  ) {
    super({ writableObjectMode: true });
    this.push(toLine(header));
    // When one of them ends early, so does the other. An error comes out here.
    pipeline(source, this, () => undefined);
  }

  override _transform(row: readonly unknown[], _encoding: string, done: TransformCallback): void {
    done(null, toLine(row));
  }

  /** Closes after its source has, so that a closed export is one that needs its connection no more. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    finished(this.source, () => {
      done(error);
    });
    this.source.destroy();
  }
}

function toLine(values: readonly unknown[]): string {
  return `${values.map(toField).join(',')}\r\n`;
}

function toField(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
