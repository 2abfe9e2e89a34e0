const EXAMPLES = 3;

/** What must not happen, counted, with the first few cases of each. */
export class Wrongs {
  private readonly found = new Map<string, { count: number; examples: string[] }>();

  add(what: string, example?: { toString(): string }): void {
    const entry = this.found.get(what) ?? { count: 0, examples: [] };
    this.found.set(what, entry);
    entry.count++;
    if (example !== undefined && entry.examples.length < EXAMPLES) entry.examples.push(example.toString());
  }

  /** What was found since the last call. */
  take(): string[] {
    const all = [...this.found].map(([what, { count, examples }]) =>
      [`${what}: ${count} times`, ...examples.map(example => `    e.g. ${example}`)].join('\n'),
    );
    this.found.clear();
    return all;
  }
}
