import { AsyncLocalStorage } from 'node:async_hooks';
import { ReportedParameters } from './parameters.js';
import type { Traces } from './statements.js';

/**
 * What happens to the session between two borrowers:
 * - `auto`: `DISCARD ALL` when a statement was sent that may have left something behind, or the server has reported a change
 *   of a parameter; nothing otherwise
 * - `always`: `DISCARD ALL` every time, one round trip
 * - `never`: no `DISCARD ALL`
 */
export type SessionReset = 'auto' | 'always' | 'never';

/** The session that is being set up by what runs now, or by what follows from that, and by whom. */
const settingUp = new AsyncLocalStorage<{ readonly condition: Condition; readonly by: object }>();

/** How much a session differs from a new one, as far as can be known of the texts that were sent and of the server's reports. */
export class Condition {
  /** Counts the sessions that this connection has had: each `DISCARD ALL` makes a new one. */
  generation = 0;
  /** Who has made it other than it was at its beginning, for good. */
  setUpBy: object | undefined = undefined;
  /** So many statements that set it up have not been answered yet. */
  private settings = 0;
  /** Something was sent that may have left a trace. */
  private touched = false;
  private readonly parameters = new ReportedParameters();

  constructor(
    private readonly mode: SessionReset,
    private readonly traces: Traces,
  ) {}

  /**
   * A statement is sent by a borrower.
   *
   * @param text undefined for what shows none
   * @param lasts would what it sets outlast the transaction that is open?
   */
  sent(text: string | undefined, lasts: boolean): void {
    if (this.mode !== 'auto' || this.touched) return;
    if (text === undefined) this.touched = true;
    else if (!this.traces.none(text)) this.leavesTrace(lasts);
  }

  /** The server is ready for the next statement. */
  answered(): void {
    // They are the first that are sent. What they have changed is how it is to be.
    if (this.settings === 0) return;
    this.settings--;
    this.parameters.begin();
  }

  /** The server reports a parameter. */
  told(parameter: string, value: string): void {
    this.parameters.told(parameter, value);
  }

  /** Must everything be discarded before somebody else gets it? */
  get isUsed(): boolean {
    if (this.mode === 'auto') return this.touched || this.parameters.changed;
    return this.mode === 'always';
  }

  /** What is sent by this, or by what follows from it, makes the session what it is for whoever does so, and is no trace. */
  setUp(by: object, work: () => void): void {
    settingUp.run({ condition: this, by }, work);
  }

  /** As it is now it is to be. */
  begin(): void {
    this.parameters.begin();
  }

  /** Everything is being discarded: what is sent from now on is of another session. */
  discard(): void {
    this.touched = false;
  }

  /** Everything has been discarded. */
  renew(): void {
    this.begin();
    this.generation++;
    this.setUpBy = undefined;
    this.settings = 0;
  }

  private leavesTrace(lasts: boolean): void {
    const set = settingUp.getStore();
    if (set?.condition === this && lasts) {
      this.setUpBy = set.by;
      this.settings++;
    } else this.touched = true;
  }
}
