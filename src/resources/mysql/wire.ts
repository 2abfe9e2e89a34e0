import type { Command, Core, Packet } from './core.js';

const IN_TRANSACTION = 0x0001;
const NO_BACKSLASH_ESCAPES = 0x0200;
const SESSION_STATE_CHANGED = 0x4000;
/** The capability that both sides must have, for the server to say what has changed. */
const SESSION_TRACK = 0x0080_0000;

/** The kinds of changes that the server tells of, as they stand in its answer. */
const CHANGE = { systemVariable: 0, schema: 1, state: 2 } as const;

/** What the server says about the session at the end of a statement or of its part. */
export interface Word {
  readonly inTransaction: boolean;
  readonly backslashEscapes: boolean;
  /** A setting, a user variable, a temporary table, the database, … is no longer what it was. */
  readonly changed: boolean;
  /** Another database than before. */
  readonly otherDatabase: boolean;
}

const OK = 0x00;
const EOF = 0xfe;
const ERROR = 0xff;
const LONGEST_EOF = 9;

/** @returns the number of the error, when that is what the server has answered */
export function errorIn({ buffer, offset }: Packet): number | undefined {
  return buffer[offset] === ERROR ? buffer.readUInt16LE(offset + 1) : undefined;
}

/**
 * Reads what the server says about the session. mysql2 reads the same, but only where a statement has no rows, and keeps
 * the status of the session to itself.
 *
 * @returns undefined for a packet that says nothing about it, such as a row
 */
export function wordIn(packet: Packet, core: Core): Word | undefined {
  const { buffer, offset, end } = packet;
  const first = buffer[offset];
  if (first === EOF && end - offset >= 5 && end - offset < LONGEST_EOF) {
    // Here is no room for what has changed.
    const status = buffer.readUInt16LE(offset + 3);
    return word(status, (status & SESSION_STATE_CHANGED) !== 0, false);
  }
  return first === OK && awaitsHeader(core._command) ? okWord(packet, core) : undefined;
}

/** A row may begin as an OK does, so it depends on what the command waits for. */
function awaitsHeader(command: Command | null | undefined): boolean {
  const next = command?.next;
  return next !== undefined && (next === command?.resultsetHeader || next === command?.infileOk);
}

function okWord({ buffer, offset, end }: Packet, core: Core): Word {
  const reader = new Reader(buffer, offset + 1, end);
  reader.number(); // affected rows
  reader.number(); // insert id
  const status = reader.fixed(2);
  if ((status & SESSION_STATE_CHANGED) === 0 || !tracks(core)) return word(status, false, false);
  reader.fixed(2); // warnings
  reader.skip(); // what it says for people
  const kinds = reader.kinds();
  const isChange = (kind: number): boolean => kind <= CHANGE.state;
  return word(status, kinds.some(isChange), kinds.includes(CHANGE.schema));
}

function word(status: number, changed: boolean, otherDatabase: boolean): Word {
  return {
    inTransaction: (status & IN_TRANSACTION) !== 0,
    backslashEscapes: (status & NO_BACKSLASH_ESCAPES) === 0,
    changed,
    otherDatabase,
  };
}

function tracks({ config, serverCapabilityFlags }: Core): boolean {
  return ((config.clientFlags ?? 0) & serverCapabilityFlags & SESSION_TRACK) !== 0;
}

/** Reads the numbers and texts of the protocol, which say their own lengths. */
class Reader {
  constructor(
    private readonly buffer: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  fixed(bytes: number): number {
    if (this.at + bytes > this.end) return 0;
    const value = this.buffer.readUIntLE(this.at, bytes);
    this.at += bytes;
    return value;
  }

  number(): number {
    const first = this.fixed(1);
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.fixed(2);
    if (first === 0xfd) return this.fixed(3);
    // What fits in no number is not a length, and nobody wants to know it.
    const low = this.fixed(4);
    return low + this.fixed(4) * 2 ** 32;
  }

  skip(): void {
    const length = this.number();
    this.at += length;
  }

  /** The kinds of the changes up to the end. */
  kinds(): number[] {
    const kinds: number[] = [];
    const stop = Math.min(this.end, this.number() + this.at);
    while (this.at < stop) {
      kinds.push(this.fixed(1));
      this.skip();
    }
    return kinds;
  }
}
