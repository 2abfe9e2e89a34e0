import { HARMLESS_FUNCTIONS } from './harmless-functions.js';
import { endOf } from './transaction-statements.js';

/** What may be called: does this name, as the server has it, belong to a function that was declared harmless? */
export type Declared = (name: string) => boolean;

/**
 * Does this text call nothing but functions that are known to be harmless? Whatever looks like a call counts as one, also
 * inside a string, unless a second look shows that it is not.
 */
export function callsHarmlessOnly(text: string, declared: Declared): boolean {
  const commented = text.includes('--') || text.includes('/*');
  // A comment can stand between a function and its parenthesis.
  if (!commented && scan(text, declared)) return true;
  // Where a string with a backslash ends is a matter of settings, and of what kind of string it is.
  if (text.includes('\\') && !(commented && scan(text, declared))) return false;
  return scan(bare(text), declared);
}

/** Looks back from each parenthesis to what stands before it, which takes time that grows with the text and no faster. */
function scan(text: string, declared: Declared): boolean {
  const distinct = DISTINCT.test(text);
  for (let at = text.indexOf('('); at >= 0; at = text.indexOf('(', at + 1)) {
    if (!isHarmless(text, at, distinct, declared)) return false;
  }
  return true;
}

function isHarmless(text: string, paren: number, distinct: boolean, declared: Declared): boolean {
  const end = beforeSpace(text, paren);
  if (!endsName(text, end)) return text[end - 1] !== '/' || text[end - 2] !== '*';
  const start = startOfName(text, end);
  const before = beforeSpace(text, start);
  const name = nameAt(text, start, end);
  const quoted = text[start] === '"';
  if (quoted && isWithinQuotes(text, start)) return false;
  if (text[before - 1] === '.') return isHarmlessInSchema(text, before, name, declared);
  if (HARMLESS_FUNCTIONS.has(name) || (!quoted && WORDS.has(name)) || declared(name)) return true;
  return isNoCall(text, before, paren, distinct && name !== 'over' && name !== 'filter');
}

/** The name of a function, or of a table whose columns follow, behind the schema and a dot. */
function isHarmlessInSchema(text: string, dotEnd: number, name: string, declared: Declared): boolean {
  const end = beforeSpace(text, dotEnd - 1);
  if (!endsName(text, end)) return false;
  const start = startOfName(text, end);
  if (text[start] === '"' && isWithinQuotes(text, start)) return false;
  const schema = nameAt(text, start, end);
  const known = schema === 'pg_catalog' ? HARMLESS_FUNCTIONS.has(name) : declared(`${schema}.${name}`);
  return known || wordBefore(text, beforeSpace(text, start)) === 'into';
}

/** Is it a table, an alias or a type, of which more is said in parentheses? */
function isNoCall(text: string, before: number, paren: number, distinct: boolean): boolean {
  switch (text[before - 1]) {
    case ':':
      return text[before - 2] === ':';
    case ')':
      // `(select …) alias (column)`; but `select distinct on (column) call()`.
      return !distinct;
    case ',':
      CTE.lastIndex = paren;
      return CTE.test(text);
    default:
      return NAMING.has(wordBefore(text, before));
  }
}

/** Behind them comes a name that is given, or that of a table. */
const NAMING: ReadonlySet<string> = new Set(['into', 'as', 'with', 'recursive']);

/** The columns of a query in WITH, and the beginning of that. */
const CTE =
  /\([^()]*\)\s*as\s*(?:(?:not\s+)?materialized\s*)?\(\s*(?:select|with|values|table|insert|update|delete|merge)\b/iy;

const DISTINCT = /\bdistinct\s+on\b/i;

function wordBefore(text: string, end: number): string {
  let start = end;
  while (start > 0 && isWordPart(text.charCodeAt(start - 1))) start--;
  return text.slice(start, end).toLowerCase();
}

function beforeSpace(text: string, from: number): number {
  let at = from;
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

function endsName(text: string, end: number): boolean {
  return end > 0 && (text[end - 1] === '"' || isWordPart(text.charCodeAt(end - 1)));
}

function startOfName(text: string, end: number): number {
  if (text[end - 1] === '"') return Math.max(0, text.lastIndexOf('"', end - 2));
  let start = end - 1;
  while (start > 0 && isWordPart(text.charCodeAt(start - 1))) start--;
  return start;
}

/** A quote that is written twice belongs to a name, of which there is more before. */
function isWithinQuotes(text: string, at: number): boolean {
  return text[at - 1] === '"';
}

/** As the server has it. */
function nameAt(text: string, start: number, end: number): string {
  return text[end - 1] === '"' ? text.slice(start + 1, end - 1) : text.slice(start, end).toLowerCase();
}

/** A letter, a digit, `_`, `$`, or anything that is not ASCII. */
function isWordPart(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 36 ||
    code > 127
  );
}

/** Nothing but names and signs: no comments, no strings. */
function bare(text: string): string {
  const special = /['"$]|--|\/\*/g;
  let result = '';
  let at = 0;
  for (let found = special.exec(text); found; found = special.exec(text)) {
    const end = endOf(found[0], text, found.index);
    special.lastIndex = end;
    // The name of something, or a parameter.
    if (found[0] === '"' || (found[0] === '$' && end === found.index + 1)) continue;
    result += `${text.slice(at, found.index)}${found[0].length === 1 ? "''" : ' '}`;
    at = end;
    if (end > text.length) break;
  }
  return result + text.slice(at);
}

/**
 * What may stand before a parenthesis and is no function. The first two lines cannot be the names of functions, unless they
 * are quoted; the last one can, of strange ones.
 */
const WORDS: ReadonlySet<string> = new Set(
  `
  all and any array as asymmetric both case cast check default distinct do else end except fetch for from group having in
  initially intersect into lateral leading limit not null offset on only or order placing primary references returning
  select some symmetric table then to trailing union unique user using variadic when where window with
  current_date current_role current_time current_timestamp current_user localtime localtimestamp session_user
  between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int integer
  interval json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize
  json_table json_value least merge_action national nchar none normalize nullif numeric out overlay position precision
  real row setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists
  xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
  ilike is join like similar
  bernoulli by columns conflict cube escape insert materialized passing repeatable rollup set sets system varying zone
  `
    .trim()
    .split(/\s+/),
);
