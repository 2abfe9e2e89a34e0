import type { Writable } from 'node:stream';

export interface MariadbOptions {
  /** Database to create: lower-case letters, digits, underscores. Default `test`. */
  database?: string;
  /** The server's `max_connections`. Default 100. The server admits one more for a superuser. */
  maxConnections?: number;
  /** Further options of the server, for example `['--wait-timeout=2']`. */
  options?: readonly string[];
  /** Where to copy the server's log, for example `process.stderr`. Default: nowhere. */
  logTo?: Writable;
}

/** A MariaDB server of our own on 127.0.0.1. It ends with this process, however this process ends. */
export interface LocalMariadb extends AsyncDisposable {
  /** Connection string of the superuser, who needs no password. The same after `stop()` and `start()`. */
  readonly url: string;
  readonly port: number;
  readonly database: string;
  /** False after `stop()`, and also when the server ended by itself. */
  readonly running: boolean;
  /** Ends all sessions and shuts down. When it resolves the server is gone; its data stay. */
  stop(): Promise<void>;
  /** As `stop()`, but by SIGKILL: no session is told anything. */
  kill(): Promise<void>;
  /** Starts again after `stop()` or a crash: same port, same data. Nothing happens when it runs already. */
  start(): Promise<void>;
  /** Stops the server and removes its data. */
  close(): Promise<void>;
}

/** Why there can be no server here; undefined when there can. */
export function whyNoMariadb(): string | undefined;

/**
 * Creates the tables of a server in a temporary directory and starts a server on it; takes a few seconds. The server is that
 * which the system has: `mariadbd` and `mariadb-install-db`, on the PATH or in `/usr/sbin` (Debian: `mariadb-server`).
 *
 * @throws when there is none, and, with the end of its log, when it does not start.
 */
export function startMariadb(options?: MariadbOptions): Promise<LocalMariadb>;
