import { Transform, finished, pipeline, type TransformCallback } from 'node:stream';
import type { Client } from 'pg';
import QueryStream from 'pg-query-stream';
import { Observable } from 'rxjs';
import type { Custody } from './custody.js';
import type { Guest } from './guest.js';
import { PlannedError } from './work.js';

interface Row {
  n: number;
  filling: string;
}

/** Those that fail do so somewhere in the middle. */
function failAt({ visit }: Guest): number {
  return visit.fails ? Math.floor(visit.rows / 2) : Infinity;
}

export function rowsOf(db: Client, { visit }: Guest): QueryStream {
  return db.query(
    new QueryStream(`select n, repeat('x', 200) as filling from generate_series(1, $1) as n`, [visit.rows], {
      batchSize: 20,
    }),
  );
}

/**
 * The rows, which use the connection until all of them have been read, or they have closed, whatever they are a part of.
 * Its cursor is closed after the last row, which takes its turn before whatever is sent next, by whomever.
 */
export function rowsInUse(db: Client, guest: Guest, custody: Custody): QueryStream {
  const use = custody.use(db, guest);
  const done = (): void => {
    use[Symbol.dispose]();
  };
  return rowsOf(db, guest).once('end', done).once('close', done);
}

/** Makes text of the rows that somebody puts into it, and knows nothing of where they are from. */
export class Lines extends Transform {
  private readonly failAt: number;

  constructor(guest: Guest) {
    super({ writableObjectMode: true });
    this.failAt = failAt(guest);
  }

  override _transform(row: Row, _encoding: string, done: TransformCallback): void {
    if (row.n === this.failAt) done(new PlannedError('in the middle of a stream'));
    else done(null, `${row.n},${row.filling}\n`);
  }
}

/** The rows as text. It closes after its source has, and uses the connection until then. */
export class LinesOf extends Lines {
  private readonly use: Disposable;
  private readonly source: QueryStream;

  constructor(db: Client, guest: Guest, custody: Custody) {
    super(guest);
    this.use = custody.use(db, guest);
    this.source = rowsOf(db, guest);
    pipeline(this.source, this, () => undefined);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    finished(this.source, () => {
      this.use[Symbol.dispose]();
      done(error);
    });
    this.source.destroy();
  }
}

/** The rows as text, from a generator that a `Readable` is made of: the cursor is closed without anybody waiting for it. */
export async function* linesOf(db: Client, guest: Guest, custody: Custody): AsyncGenerator<string> {
  for await (const row of rowsOf(db, guest) as AsyncIterable<Row>) {
    using _use = custody.use(db, guest);
    if (row.n === failAt(guest)) throw new PlannedError('in the middle of a readable');
    yield `${row.n},${row.filling}\n`;
  }
}

/** The rows page by page, each with a query of its own. */
export async function* pagesOf(db: Client, guest: Guest, custody: Custody): AsyncGenerator<Buffer> {
  using _use = custody.use(db, guest);
  for (let first = 1; first <= guest.visit.rows; first += 10) {
    const { rows } = await db.query<Row>(
      `select n, repeat('x', 200) as filling from generate_series($1::int, $1::int + 9) as n`,
      [first],
    );
    if (first + 10 > failAt(guest)) throw new PlannedError('in the middle of a generator');
    yield Buffer.from(rows.map(row => `${row.n},${row.filling}\n`).join(''));
  }
}

/** Events, with a query for each of them. */
export function eventsOf(db: Client, guest: Guest, custody: Custody): Observable<number> {
  return new Observable(subscriber => {
    const send = async (): Promise<void> => {
      for (let n = 0; n < 5 && !subscriber.closed; n++) {
        // Not held against it when the subscriber leaves meanwhile: nothing could wait for it.
        custody.use(db, guest)[Symbol.dispose]();
        await db.query('select 1');
        subscriber.next(n);
      }
      if (guest.visit.fails) throw new PlannedError('in the middle of events');
      subscriber.complete();
    };
    send().catch((error: unknown) => subscriber.error(error));
    return () => custody.use(db, guest)[Symbol.dispose]();
  });
}
