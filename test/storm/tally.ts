import type { Outcome } from './client.js';
import type { Guest } from './guest.js';
import { ALL_KINDS, factsOf, type Kind } from './kinds.js';
import { LEAVING, type Leaving } from './plan.js';
import type { Wrongs } from './wrongs.js';

/** What became of the requests of a round. */
export class Tally {
  sent = 0;
  broken = 0;
  readonly answered = new Map<number, number>();
  readonly left = new Map<Leaving | 'with another', number>();
  /** Those that were told that their transaction is committed, and those that failed in it as it was planned. */
  readonly confirmed: number[] = [];
  readonly failed: number[] = [];
  /** Those that were told that their transfer is made. */
  readonly paid: number[] = [];
  /** Those that got a good answer, all of it. */
  readonly whole = new Set<Guest>();
  private readonly served = new Set<Kind>();

  constructor(private readonly wrongs: Wrongs) {}

  count(guest: Guest, outcome: Outcome): void {
    const { id, kind, method, leaves, fails } = guest.visit;
    const { streamed, endless, pays, enters, fails: failsAlways } = factsOf(kind);
    this.sent++;
    if (outcome === 'left') {
      const point = leaves ?? 'with another';
      this.left.set(point, (this.left.get(point) ?? 0) + 1);
      if (endless) this.served.add(kind);
    } else if (outcome === 'broken') {
      this.broken++;
      // A body that was begun cannot say otherwise that its backend is gone. All others get an answer.
      if (!streamed) this.wrongs.add('no answer', guest);
    } else {
      this.answered.set(outcome, (this.answered.get(outcome) ?? 0) + 1);
      // Nest answers 400 when the source of a StreamableFile fails before its first byte.
      const usual = [200, 201, 500, 503].includes(outcome) || (outcome === 400 && streamed);
      if (!usual) this.wrongs.add(`status ${outcome}`, guest);
      if (outcome < 300 || failsAlways) this.served.add(kind);
      // Of a HEAD nobody reads the stream; and one that broke after its head may look whole.
      if (outcome < 300 && method !== 'HEAD' && !(streamed && fails)) this.whole.add(guest);
      if (pays && outcome < 300) this.paid.push(id);
      if (enters && outcome < 300) this.confirmed.push(id);
      if (enters && fails) this.failed.push(id);
    }
  }

  /** A storm in which nothing of a kind has happened says nothing about it. */
  checkVariety(): void {
    for (const kind of ALL_KINDS) if (!this.served.has(kind)) this.wrongs.add('never answered well', kind);
    for (const point of LEAVING) if (!this.left.has(point)) this.wrongs.add('nobody left at', point);
  }
}
