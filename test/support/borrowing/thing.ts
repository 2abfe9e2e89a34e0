/** What the test pool lends. Using one that is not lent is what these tests are about; a test counts it at its end. */
export class Thing {
  private lent = false;
  /** Errors that borrowers have reported, as isFatal saw them. */
  static readonly reported: unknown[] = [];
  static lentTwice = 0;
  static usedTooLate = 0;
  constructor(readonly id: number) {}

  static startCounting(): void {
    Thing.reported.length = 0;
    Thing.lentTwice = Thing.usedTooLate = 0;
  }

  lend(): void {
    if (this.lent) Thing.lentTwice++;
    this.lent = true;
  }

  takeBack(): void {
    this.lent = false;
  }

  use(): number {
    if (!this.lent) Thing.usedTooLate++;
    return this.id;
  }
}
