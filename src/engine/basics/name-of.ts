/** What an owner says it is, or what kind of thing it is. */
export function nameOf(owner: object): string {
  return (
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- then it is not taken
    said(() => (typeof owner === 'function' ? owner.name : String(owner))) ??
    said(() => owner.constructor.name) ??
    'Object'
  );
}

/** A text that says something. */
function said(text: () => unknown): string | undefined {
  try {
    const name = text();
    return typeof name === 'string' && name !== '' && !name.startsWith('[object ') ? name : undefined;
  } catch {
    // Users' code; not worth an error of its own.
    return undefined;
  }
}
