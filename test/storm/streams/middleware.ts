import { pipeline } from 'node:stream';
import type { ServerResponse } from 'node:http';
import type { Client } from 'pg';
import type { Kit } from '../kit.js';
import type { Guest } from '../guest.js';
import { Lines, pagesOf, rowsInUse } from '../sources.js';

/** Middleware that answers by itself, with what it reads from the connection of its request. */
export class StreamingMiddleware {
  constructor(private readonly kit: Kit) {}

  /** Asynchronous: it is at work until its promise has settled, whether somebody listens or not. */
  async awaited(guest: Guest, response: ServerResponse): Promise<void> {
    try {
      const db = await this.kit.facade.get();
      using _use = await this.begin(db, guest, response);
      for await (const page of pagesOf(db, guest, this.kit.custody)) response.write(page);
    } catch {
      fail(response);
    }
    response.end();
  }

  /** In callbacks. @param ends whether it ends its answer, also when nobody listens any more */
  byCallback(guest: Guest, response: ServerResponse, ends: boolean): void {
    const run = async (): Promise<void> => {
      const db = await this.kit.facade.get();
      const use = await this.begin(db, guest, response);
      this.page(db, guest, response, () => {
        use[Symbol.dispose]();
        if (ends) response.end();
      });
    };
    run().catch(() => {
      fail(response).end();
    });
  }

  /** Asynchronous, and at work no more when it is, without a word. */
  async withoutEnd(guest: Guest, response: ServerResponse): Promise<void> {
    try {
      const db = await this.kit.facade.get();
      using _use = await this.begin(db, guest, response);
      for await (const page of pagesOf(db, guest, this.kit.custody)) response.write(page);
    } catch {
      fail(response).end();
    }
  }

  /** Pipes rows through a transform into the response. */
  piping(guest: Guest, response: ServerResponse): void {
    const run = async (): Promise<void> => {
      const db = await this.kit.facade.get();
      (await this.begin(db, guest, response))[Symbol.dispose]();
      const rows = rowsInUse(db, guest, this.kit.custody);
      const lines = new Lines(guest);
      if (guest.visit.deep) {
        pipeline(rows, lines, response, () => undefined);
        return;
      }
      // `pipe` tells no errors.
      rows.on('error', error => lines.destroy(error));
      lines.on('error', error => response.destroy(error));
      rows.pipe(lines).pipe(response);
    };
    run().catch(() => {
      fail(response).end();
    });
  }

  private async begin(db: Client, guest: Guest, response: ServerResponse): Promise<Disposable> {
    const use = await this.kit.custody.begin(db, guest);
    guest.at('holding');
    response.writeHead(200);
    response.write('begun\n');
    return use;
  }

  /** One page after the other, with pg's callbacks. */
  private page(db: Client, guest: Guest, response: ServerResponse, done: () => void, first = 1): void {
    const { rows } = guest.visit;
    db.query('select repeat($1, 200) as filling from generate_series(1, 10)', ['x'], (error, result) => {
      // pg says null, and not what its types say.
      if ((error as Error | null) || first + 10 > rows) {
        done();
        return;
      }
      response.write(result.rows.map(({ filling }: { filling: string }) => `${filling}\n`).join(''));
      setImmediate(() => {
        this.page(db, guest, response, done, first + 10);
      });
    });
  }
}

function fail(response: ServerResponse): ServerResponse {
  if (!response.headersSent) response.statusCode = 500;
  return response;
}
