import type { IsolationLevel, TransactionOptions } from '../../engine/index.js';
import { skipGap } from './gaps.js';
import type { Boundary } from './transaction-statements.js';

/** A statement that begins or ends a transaction, or says how it is to be, and is alone in its text. */
export interface TransactionStatement {
  /** Undefined for SET TRANSACTION. */
  readonly boundary: Boundary | undefined;
  readonly modes: TransactionOptions;
}

const SENSIBLE = /\b(?:begin|start|commit|end|rollback|abort|transaction)\b/i;
const BEGIN = /^(?:begin(?: work| transaction)?|start transaction)(?= |$)(.*)$/;
const SET = /^set transaction(?= )(.*)$/;
const END = /^(?:(commit|end)|rollback|abort)(?: work| transaction)?(?: and no chain)?$/;

/** @returns undefined for any other text, also for one that has more than that in it */
export function transactionStatement(text: string): TransactionStatement | undefined {
  const words = SENSIBLE.test(text) ? wordsOf(text) : undefined;
  if (words === undefined) return undefined;
  const [end, commit] = END.exec(words) ?? [];
  if (end !== undefined) return { boundary: commit === undefined ? 'rollback' : 'commit', modes: {} };
  const begin = BEGIN.exec(words)?.[1];
  const modes = modesOf(begin ?? SET.exec(words)?.[1]);
  return modes && { boundary: begin === undefined ? undefined : 'begin', modes };
}

/** How a transaction would have to be that it is not, for a message; undefined when it is as these modes want it. */
export function differenceTo(options: TransactionOptions, wanted: TransactionOptions): string | undefined {
  const { isolation = 'read committed', readOnly = false, deferrable = false } = options;
  if (wanted.isolation !== undefined && wanted.isolation !== isolation) return wanted.isolation;
  if (wanted.readOnly !== undefined && wanted.readOnly !== readOnly)
    return wanted.readOnly ? 'read only' : 'read write';
  return wanted.deferrable === true && !deferrable ? 'deferrable' : undefined;
}

const WORD = /[a-z]+|,/iy;

/** The words of a text that has nothing but words, commas and perhaps a semicolon at its end. */
function wordsOf(text: string): string | undefined {
  const words: string[] = [];
  let at = skipGap(text, 0);
  for (; at < text.length; at = skipGap(text, WORD.lastIndex)) {
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (word === undefined) break;
    words.push(word.toLowerCase());
  }
  while (text[at] === ';') at = skipGap(text, at + 1);
  return at < text.length ? undefined : words.join(' ');
}

const MODE =
  /^(?: ,)? (?:isolation level (serializable|repeatable read|read (?:un)?committed)|read (only|write)|(not )?deferrable)(?= |$)/;

function modesOf(list: string | undefined): TransactionOptions | undefined {
  let rest = list;
  let modes: TransactionOptions = {};
  while (rest) {
    const found = MODE.exec(rest);
    if (!found) return undefined;
    const [mode, isolation, access, not] = found;
    if (isolation !== undefined) modes = { ...modes, isolation: isolation as IsolationLevel };
    else if (access !== undefined) modes = { ...modes, readOnly: access === 'only' };
    else modes = { ...modes, deferrable: not === undefined };
    rest = rest.slice(mode.length);
  }
  return rest === undefined ? undefined : modes;
}
