import { Transform, type TransformCallback } from 'node:stream';

/** Makes lines of CSV (RFC 4180) of arrays of values. */
export class CsvLines extends Transform {
  constructor(header: readonly string[]) {
    super({ writableObjectMode: true });
    this.push(toLine(header));
  }

  override _transform(row: readonly unknown[], _encoding: string, done: TransformCallback): void {
    done(null, toLine(row));
  }
}

function toLine(values: readonly unknown[]): string {
  return `${values.map(toField).join(',')}\r\n`;
}

function toField(value: unknown): string {
  const text = value instanceof Date ? value.toISOString() : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
