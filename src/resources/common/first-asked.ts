import type { Capacity } from '../../engine/index.js';

/**
 * The first connection asks the server how many there may be, before it is lent: a round trip once, in which no borrower
 * has a part.
 */
export class FirstAsked<S extends { readonly broken: boolean }> {
  /** What the first connection was told; undefined before. */
  answer: Promise<Capacity | undefined> | undefined = undefined;

  /** @param wanted does anybody want to know? Keyed pools give no advice */
  constructor(
    private readonly question: (session: S) => Promise<Capacity | undefined>,
    private readonly wanted: boolean,
  ) {}

  /** @throws what the question throws, where that has broken the connection */
  async ask(session: S): Promise<void> {
    if (this.answer || !this.wanted) return;
    const asked = this.question(session);
    this.answer = asked.catch(() => undefined);
    try {
      await asked;
    } catch (error) {
      if (session.broken) throw error;
    }
  }
}
