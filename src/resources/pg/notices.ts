import { messageOf } from '../../engine/index.js';

/** What the server remarks while it does something else; the fields are those of its protocol. */
export interface PgNotice {
  readonly message: string | undefined;
  /** `WARNING`, `NOTICE`, `INFO`, `LOG` or `DEBUG`, in the language of the server. */
  readonly severity: string | undefined;
  /** SQLSTATE, such as `01000`. */
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** In which function, and on whose behalf. */
  readonly where: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly constraint: string | undefined;
}

/** Where a notice is from. */
export interface NoticeSource {
  /** The name of the pool. */
  readonly pool: string;
  /** The key of the connection; undefined but in a keyed pool. */
  readonly key: unknown;
  /** The server's process, as in `pg_stat_activity`. */
  readonly processId: number | undefined;
}

/** What it returns is of no use to anybody. */
export type OnNotice = (notice: PgNotice, source: NoticeSource) => unknown;

/** A connection of pg, as far as it tells notices. */
interface Talking {
  on(event: 'notice', listener: (notice: PgNotice) => void): unknown;
}

/** What is thrown while pg reads from its socket would end the process. */
export class Notices {
  private warned = false;

  constructor(
    private readonly pool: string,
    private readonly onNotice: OnNotice,
  ) {}

  /** Not on the client: from there a borrower could remove it. */
  listen(connection: unknown, key: unknown, processId: () => number | undefined): void {
    (connection as Talking).on('notice', notice => {
      this.tell(notice, { pool: this.pool, key, processId: processId() });
    });
  }

  private tell(notice: PgNotice, source: NoticeSource): void {
    try {
      const told = this.onNotice(notice, source);
      if (told instanceof Promise) told.catch(this.warn);
    } catch (error) {
      this.warn(error);
    }
  }

  private readonly warn = (error: unknown): void => {
    if (this.warned) return;
    this.warned = true;
    process.emitWarning(
      `onNotice of pool "${this.pool}" has failed: ${messageOf(error)}. What it throws is dropped; this is told once.`,
      { type: 'PoolListenerWarning' },
    );
  };
}
