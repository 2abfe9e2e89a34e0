const SPACE = /[ \t\n\r\f\v]*/y;

/**
 * Skips what the server takes for white space, and comments. In time that grows with the gap only.
 *
 * @returns where the gap ends; beyond the end of the text when a comment is still open there
 */
export function skipGap(text: string, from: number): number {
  let at = from;
  while (at <= text.length) {
    SPACE.lastIndex = at;
    SPACE.test(text);
    at = SPACE.lastIndex;
    if (text.startsWith('--', at)) at = endOfLineComment(text, at);
    else if (text.startsWith('/*', at)) at = endOfComment(text, at);
    else return at;
  }
  return at;
}

export function endOfLineComment(text: string, at: number): number {
  const line = /[\n\r]/g;
  line.lastIndex = at;
  return line.test(text) ? line.lastIndex : text.length + 1;
}

/** Comments of the C kind nest. */
export function endOfComment(text: string, at: number): number {
  const sign = /\/\*|\*\//g;
  sign.lastIndex = at;
  let depth = 0;
  for (let found = sign.exec(text); found; found = sign.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return sign.lastIndex;
  }
  return text.length + 1;
}
