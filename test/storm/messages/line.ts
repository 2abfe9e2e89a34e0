import type { Guest } from '../guest.js';

/** What comes back for one message. */
export interface Hearing {
  /** One value of several. */
  value(): void;
  /** @param status as HTTP would have it */
  end(status: number): void;
}

/** A client's connection, over which messages go. */
export interface Line {
  /** By whomever. */
  readonly closed: Promise<void>;
  ask(guest: Guest, hearing: Hearing): void;
  /** @param suddenly without a word to the server */
  leave(suddenly: boolean): void;
}

/** Those who wait for an answer, by their messages. */
export class Hearings {
  private readonly hearings = new Map<number, Hearing>();

  add({ visit }: Guest, hearing: Hearing): void {
    this.hearings.set(visit.id, hearing);
  }

  value(id: number): void {
    this.hearings.get(id)?.value();
  }

  end(id: number, status: number): void {
    this.hearings.get(id)?.end(status);
    this.hearings.delete(id);
  }
}
