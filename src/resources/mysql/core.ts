import type { EventEmitter } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import type { Connection as CoreConnection, ConnectionOptions } from 'mysql2';
import mysql from 'mysql2';
import type { Connection } from 'mysql2/promise';

/** What mysql2's promise connection has but its types do not tell: the connection with callbacks that is behind it. */
export type Client = Connection & { readonly connection: CoreConnection };

/** A request to the server, from when it is queued until the server has answered it. */
export interface Command extends EventEmitter {
  /** A query, or the execution of a statement. */
  readonly sql?: string;
  /** What is to be prepared. */
  readonly query?: string;
  /** What was prepared, when that is executed directly. */
  readonly statement?: { readonly query?: string };
  readonly onResult?: (error: Error) => void;
  /** What it does with the next packet; undefined as long as it was not sent. */
  readonly next?: unknown;
  readonly resultsetHeader?: unknown;
  readonly infileOk?: unknown;
  stream?: (options?: unknown) => Readable;
}

export interface Packet {
  readonly buffer: Buffer;
  readonly offset: number;
  readonly end: number;
}

export interface Statement {
  readonly query: string;
  execute(...args: unknown[]): unknown;
  close(): unknown;
}

/** mysql2's connection with callbacks, with the members that its types do not tell. */
export type Core = Omit<CoreConnection, 'config'> & {
  readonly config: ConnectionOptions & { charsetNumber?: number; clientFlags?: number };
  readonly stream: Duplex;
  clientEncoding: string;
  readonly serverCapabilityFlags: number;
  readonly _handshakePacket: { readonly serverVersion?: string } | null;
  /** What the server is to answer next. */
  readonly _command: Command | null | undefined;
  /** What waits for its turn. */
  readonly _commands: { readonly length: number; shift(): Command | undefined; push(command: Command): void };
  readonly _paused: boolean;
  readonly _closing?: boolean;
  addCommand(command: Command): Command;
  handlePacket(packet?: Packet): void;
};

/** A connection that is being made: its events tell when it is there. */
export function openCore(config: ConnectionOptions): Core {
  try {
    // A copy: mysql2 writes into it what a connection string says.
    return mysql.createConnection({ ...config }) as unknown as Core;
  } catch (error) {
    throw withoutInput(error);
  }
}

/** A malformed URL is quoted in the error, with its password. */
export function withoutInput(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) Reflect.deleteProperty(error, 'input');
  return error;
}

/** Resolves when the server has let the client in. */
export function connected(core: Core): Promise<void> {
  return new Promise((resolve, reject) => {
    core.connect((error: Error | null) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Resolves when the socket is closed: at once if it is already. */
export async function closed({ stream }: Core): Promise<void> {
  if (!stream.closed) await new Promise(resolve => stream.once('close', resolve));
}

/** Tells a command that it will not be sent, in the way in which mysql2 tells it of an error. */
export function refuse(command: Command, error: Error): void {
  process.nextTick(() => {
    // When the statement could not be prepared, whoever executes it has been told so already.
    if (Object.hasOwn(command, 'start')) return;
    if (command.onResult) command.onResult(error);
    else if (command.listenerCount('error') > 0) command.emit('error', error);
    command.emit('end');
  });
}

/** What a command is about, when that is a statement. */
export function textOf({ sql, query, statement }: Command): string | undefined {
  return sql ?? query ?? statement?.query;
}
