/** What the demonstration says, and what it found wrong. */
export class Report {
  readonly findings: string[] = [];

  title(text: string): void {
    console.log(`\n${text}`);
  }

  line(subject: string, text: string): void {
    console.log(`  ${subject.padEnd(12)}${subject.length < 12 ? '' : '  '}${text}`);
  }

  /** Something that must hold; if it does not, the demonstration has failed. */
  check(holds: boolean, otherwise: string): void {
    if (holds) return;
    this.findings.push(otherwise);
    console.log(`  WRONG       ${otherwise}`);
  }
}
