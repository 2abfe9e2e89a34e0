import type { Writable } from 'node:stream';

export interface PostgresOptions {
  /** Database to create: lower-case letters, digits, underscores. Default `postgres`, which always exists. */
  database?: string;
  /** The server's `max_connections`. Default 100. */
  maxConnections?: number;
  /** So many of them are for superusers only. Default 0. */
  superuserReserved?: number;
  /** More settings of the server, as in postgresql.conf. One whose value is the name of one of `files` gets its path. */
  settings?: Readonly<Record<string, string>>;
  /** Texts by name that the server can read and nobody else, such as the key of its certificate. */
  files?: Readonly<Record<string, string>>;
  /** Begins as a copy of this server, which is stopped and started for it, and follows it as a streaming standby. */
  standbyOf?: LocalPostgres;
  /** Where to copy the server's log, for example `process.stderr`. Default: nowhere. */
  logTo?: Writable;
}

/** A PostgreSQL server of our own on 127.0.0.1. It ends with this process, however this process ends. */
export interface LocalPostgres extends AsyncDisposable {
  /** Connection string of the superuser, who needs no password. The same after `stop()` and `start()`. */
  readonly url: string;
  readonly port: number;
  /** The directory of its data. */
  readonly data: string;
  /** Where its `files` are. */
  readonly files: string;
  /** False after `stop()`, and also when the server ended by itself. */
  readonly running: boolean;
  /** Ends all sessions (57P01) and shuts down. When it resolves the server is gone; its data stay. */
  stop(): Promise<void>;
  /** Starts again after `stop()` or a crash: same port, same data. Nothing happens when it runs already. */
  start(): Promise<void>;
  /** Stops the server and removes its data. */
  close(): Promise<void>;
}

/**
 * Creates a database cluster in a temporary directory and starts a server on it; takes about a second.
 * On Windows `sh` has to be in the PATH (Git for Windows brings one).
 *
 * @throws when there is no PostgreSQL for this system, and, with the end of its log, when it does not start.
 */
export function startPostgres(options?: PostgresOptions): Promise<LocalPostgres>;
