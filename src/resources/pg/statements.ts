import { callsHarmlessOnly, type Declared } from './calls.js';
import { skipGap } from './gaps.js';

/** So many texts are remembered, of at most so many characters: applications send the same few again and again. */
const REMEMBERED = 500;
const LONGEST = 2_000;

/** What the texts that a pool sends leave behind; it remembers what it has found out. */
export class Traces {
  private readonly known = new Map<string, boolean>();
  private readonly names: ReadonlySet<string>;
  private readonly prefixes: readonly string[];

  /** @param harmless functions that leave nothing behind, as the server has their names; with `*` at its end, all that begin so */
  constructor(harmless: readonly string[] = []) {
    this.names = new Set(harmless.filter(name => !name.endsWith('*')));
    this.prefixes = harmless.filter(name => name.endsWith('*')).map(name => name.slice(0, -1));
  }

  /** Does this text certainly leave the session as it was? See {@link leavesNoTrace}. */
  none(text: string): boolean {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const none = leavesNoTrace(text, this.declared);
    if (text.length > LONGEST) return none;
    // Not the least used, which would cost more than to find out again.
    if (this.known.size >= REMEMBERED) this.known.clear();
    this.known.set(text, none);
    return none;
  }

  private readonly declared: Declared = name =>
    this.names.has(name) || this.prefixes.some(prefix => name.startsWith(prefix));
}

/**
 * Does this text certainly leave the session as it was, transactions aside? Errs on the side of no: what is unknown
 * costs one `DISCARD ALL`, what is missed costs the next borrower its peace.
 *
 * It does not parse SQL. A statement begins at the start of the text or after a semicolon, so when whatever follows
 * one begins with a harmless keyword, every statement does, no matter which semicolons are really inside a string.
 * And what makes such a statement harmful is a word that cannot hide, since it is searched for in the whole text. So is
 * whatever looks like the call of a function, which may do anything.
 *
 * @param declared says of a function that is not PostgreSQL's own whether it is harmless
 */
export function leavesNoTrace(text: string, declared: Declared = () => false): boolean {
  if (HARMFUL.test(text) || selectsIntoTemporary(text)) return false;
  // The line end closes a comment at the very end of the text; anywhere else an open comment is an unknown keyword.
  const harmless = text.includes(';') ? `${text}\n`.split(';').every(isHarmless) : isHarmless(`${text}\n`);
  return harmless && callsHarmlessOnly(text, declared);
}

function isHarmless(statement: string): boolean {
  let at = skipGap(statement, 0);
  if (at === statement.length) return true;
  while (statement[at] === '(') at = skipGap(statement, at + 1);
  const [keyword] = matchAt(HARMLESS, statement, at);
  if (keyword === undefined) return false;
  const second = SECOND[keyword.toLowerCase()];
  if (second === undefined) return true;
  return matchAt(second, statement, skipGap(statement, at + keyword.length)).length > 0;
}

const HARMLESS = new RegExp(
  `(?:${[
    ...['select', 'with', 'values', 'table'],
    ...['insert', 'update', 'delete', 'merge', 'truncate', 'lock', 'show', 'notify'],
    ...['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release', 'set'],
  ].join('|')})\\b`,
  'iy',
);

/** What has to follow some of them. */
const SECOND: Readonly<Record<string, RegExp | undefined>> = {
  start: /transaction\b/iy,
  // These last as long as the transaction.
  set: /(?:local|transaction|constraints)\b/iy,
};

const HARMFUL = new RegExp(
  [
    // Session settings, also by way of the view that can be updated.
    String.raw`\b(?:set_config|pg_settings)\b`,
    // Locks that belong to the session; those of the transaction are called pg_advisory_xact_lock.
    String.raw`\bpg_(?:try_)?advisory_lock`,
    String.raw`\bpg_temp`,
    // An escaped identifier may spell any of these.
    'u&"',
  ].join('|'),
  'i',
);

const TEMPORARY = /\btemp(?:orary)?\b/i;

/** `SELECT … INTO TEMP`. */
function selectsIntoTemporary(text: string): boolean {
  if (!TEMPORARY.test(text)) return false;
  const into = /\binto\b/gi;
  let seen = 0;
  for (let found = into.exec(text); found; found = into.exec(text)) {
    // In a comment behind another INTO, unless that was in a string: to find out would mean to look at all of it again.
    if (found.index < seen) return true;
    seen = skipGap(text, into.lastIndex);
    const [scope = ''] = matchAt(/(?:local|global)\b/iy, text, seen);
    if (scope) seen = skipGap(text, seen + scope.length);
    if (matchAt(/temp(?:orary)?\b/iy, text, seen).length > 0) return true;
  }
  return false;
}

function matchAt(what: RegExp, text: string, at: number): readonly string[] {
  what.lastIndex = at;
  return what.exec(text) ?? [];
}
