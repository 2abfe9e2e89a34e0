/** What became of requests: how many of which kind ended how. */
export class Tally {
  private readonly counts = new Map<string, Map<string, number>>();

  add(kind: string, outcome: string): void {
    const outcomes = this.counts.get(kind) ?? new Map<string, number>();
    this.counts.set(kind, outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1));
  }

  of(kind: string, outcome: string): number {
    return this.counts.get(kind)?.get(outcome) ?? 0;
  }

  /** One line per kind, such as `reads: 310 answered, 2 failed (500)`. */
  lines(): [kind: string, outcomes: string][] {
    return [...this.counts].map(([kind, outcomes]) => [
      kind,
      [...outcomes].map(([outcome, count]) => `${count.toLocaleString('en')} ${outcome}`).join(', '),
    ]);
  }
}
