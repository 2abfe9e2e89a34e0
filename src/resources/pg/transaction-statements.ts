import { endOfComment, endOfLineComment, skipGap } from './gaps.js';

/** What a statement does to the transaction of its session. */
export type Boundary = 'begin' | 'commit' | 'rollback';

const NONE: readonly Boundary[] = [];

/**
 * The statements of a text that begin or end a transaction, in their order. Savepoints do neither, nor does what stands
 * inside a string, a comment or the body of a function.
 */
export function boundariesOf(text: string): readonly Boundary[] {
  // Most texts have none of these words, and need not be looked at any closer.
  if (!MENTIONED.test(text)) return NONE;
  const found: Boundary[] = [];
  let at = 0;
  let begins = true;
  let atomic: number | undefined;
  while (at < text.length) {
    if (begins) {
      at = skipGap(text, at);
      // The body of a function in standard SQL: the only semicolons that end no statement and are not quoted.
      if (startsWith(CREATE, text, at) && (atomic ??= text.search(ATOMIC)) > at) break;
      const boundary = boundaryAt(text, at);
      if (boundary) found.push(boundary);
    }
    SPECIAL.lastIndex = at;
    const special = SPECIAL.exec(text);
    if (!special) break;
    begins = special[0] === ';';
    at = begins ? special.index + 1 : endOf(special[0], text, special.index);
  }
  return found;
}

const MENTIONED = /\b(?:begin|start|commit|end|prepare|rollback|abort)\b/i;
const CREATE = /create\b/iy;
const ATOMIC = /\bbegin\s+atomic\b/i;
/** Where a statement ends, or something begins in which a semicolon does not end one. */
const SPECIAL = /['"$;]|--|\/\*/g;

const WORD = /[a-z]+/iy;

/** The words that a statement begins with, as far as they matter here. */
function wordsAt(text: string, from: number): string {
  const words: string[] = [];
  for (let at = from; words.length < 3; at = skipGap(text, WORD.lastIndex)) {
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (!word) break;
    words.push(word.toLowerCase());
  }
  return words.join(' ');
}

function boundaryAt(text: string, at: number): Boundary | undefined {
  const words = wordsAt(text, at);
  if (/^(?:begin|start transaction)\b/.test(words)) return 'begin';
  if (/^(?:prepare transaction|(?:commit|end)(?! prepared))\b/.test(words)) return 'commit';
  return /^(?:rollback|abort)\b(?!(?: work| transaction)? to\b| prepared)/.test(words)
    ? 'rollback'
    : undefined;
}

function startsWith(what: RegExp, text: string, at: number): boolean {
  what.lastIndex = at;
  return what.test(text);
}

/** Where what begins here is over; at the end of the text when nothing ends it. */
export function endOf(sign: string, text: string, at: number): number {
  switch (sign) {
    case '--':
      return endOfLineComment(text, at);
    case '/*':
      return endOfComment(text, at);
    case "'":
      return isEscaping(text, at) ? endOfEscaping(text, at) : endOfQuoted(text, at);
    case '$':
      return endOfDollar(text, at);
    default:
      return endOfQuoted(text, at);
  }
}

/** A quote within quotes is written twice, which is as good as two strings side by side. */
function endOfQuoted(text: string, at: number): number {
  const end = text.indexOf(text.charAt(at), at + 1);
  return end < 0 ? text.length : end + 1;
}

/** Is it the string of an `E'…'`, in which a backslash escapes? */
function isEscaping(text: string, at: number): boolean {
  return /(?:^|[^\w$\u0080-\uffff])e$/i.test(text.slice(Math.max(0, at - 2), at));
}

function endOfEscaping(text: string, at: number): number {
  const sign = /\\[^]|'/g;
  sign.lastIndex = at + 1;
  for (let found = sign.exec(text); found; found = sign.exec(text)) {
    if (found[0] === "'") return sign.lastIndex;
  }
  return text.length;
}

const DOLLAR = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy;

/** `$$ … $$` or `$tag$ … $tag$`; a parameter, or a dollar within a name, is over at once. */
function endOfDollar(text: string, at: number): number {
  const within = /[\w$\u0080-\uffff]/.test(text.charAt(at - 1));
  DOLLAR.lastIndex = at;
  const tag = within ? null : DOLLAR.exec(text);
  if (!tag) return at + 1;
  const end = text.indexOf(tag[0], at + tag[0].length);
  return end < 0 ? text.length : end + tag[0].length;
}
