import mysql from 'mysql2';

let names: ReadonlyMap<number, string> | undefined;

/**
 * The part of a SET that gives a session the character set and the collation that it has asked for when it logged in.
 *
 * @returns undefined for a number that mysql2 has no name for
 */
export function charsetClause(charsetNumber: unknown): string | undefined {
  names ??= collations();
  const collation = typeof charsetNumber === 'number' ? names.get(charsetNumber) : undefined;
  if (collation === undefined) return undefined;
  const [charset] = collation.split('_', 1);
  return charset === collation ? `NAMES ${charset}` : `NAMES ${charset} COLLATE ${collation}`;
}

/** mysql2 has them by name, with short names for some. */
function collations(): Map<number, string> {
  const found = new Map<number, string>();
  const { Charsets } = mysql as unknown as { Charsets: Record<string, number> };
  for (const [name, number] of Object.entries(Charsets)) {
    if (!found.has(number) || name.includes('_')) found.set(number, name.toLowerCase());
  }
  return found;
}
