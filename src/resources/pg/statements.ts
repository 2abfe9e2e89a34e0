/**
 * Does this text certainly leave the session as it was, transactions aside? Errs on the side of no: what is unknown
 * costs one `DISCARD ALL`, what is missed costs the next borrower its peace.
 *
 * It does not parse SQL. A statement begins at the start of the text or after a semicolon, so when whatever follows
 * one begins with a harmless keyword, every statement does, no matter which semicolons are really inside a string.
 * And what makes such a statement harmful is a word that cannot hide, since it is searched for in the whole text.
 */
export function leavesNoTrace(text: string): boolean {
  if (HARMFUL.test(text)) return false;
  // The line end closes a comment at the very end of the text; anywhere else an open comment is an unknown keyword.
  return text.includes(';') ? `${text}\n`.split(';').every(isHarmless) : isHarmless(text);
}

const isHarmless = (statement: string): boolean => HARMLESS.test(statement);

// What the server takes for white space, and comments. No nested ones: those end elsewhere than they seem to.
export const GAP = String.raw`(?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r]|/\*(?:(?!/\*)[^*]|\*(?!/))*\*/)`;

const HARMLESS = new RegExp(
  `^${GAP}*(?:$|(?:\\(${GAP}*)*(?:select|with|values|table)\\b|(?:${[
    ...['insert', 'update', 'delete', 'merge', 'truncate', 'lock', 'show', 'notify'],
    ...['begin', `start${GAP}+transaction`, 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release'],
    // These last as long as the transaction.
    `set${GAP}+(?:local|transaction|constraints)`,
  ].join('|')})\\b)`,
  'i',
);

const HARMFUL = new RegExp(
  [
    // Session settings, also by way of the view that can be updated.
    String.raw`\b(?:set_config|pg_settings)\b`,
    // Locks that belong to the session; those of the transaction are called pg_advisory_xact_lock.
    String.raw`\bpg_(?:try_)?advisory_lock`,
    // SELECT … INTO TEMP
    String.raw`\binto${GAP}+(?:(?:local|global)${GAP}+)?temp(?:orary)?\b`,
    String.raw`\bpg_temp`,
    // An escaped identifier may spell any of these.
    'u&"',
  ].join('|'),
  'i',
);
