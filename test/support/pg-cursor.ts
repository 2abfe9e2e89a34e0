import type { Submittable } from 'pg';
import QueryStream from 'pg-query-stream';

export interface Cursor extends Submittable {
  read(rows: number): Promise<unknown[]>;
  read(rows: number, callback: (error: unknown, rows?: unknown[]) => void): void;
  close(): Promise<void>;
}

/** That of the package pg-cursor, which has no types and comes with the streams. */
export const Cursor = (new QueryStream('') as unknown as { cursor: Cursor }).cursor.constructor as new (
  text: string,
) => Cursor;
