import { GuestBook, type Guest } from '../guest.js';

/** What a message carries: whose it is, where a request of HTTP has it. */
export interface Message {
  readonly headers: Record<string, string>;
}

export function messageOf({ visit }: Guest): Message {
  return { headers: { [GuestBook.HEADER]: String(visit.id) } };
}
