import type { Waiting } from '../queue/waiting.js';
import type { Stock } from '../slots/stock.js';
import type { Share } from './share.js';

/** What there is and who wants it: what decides whether more is made. */
export interface Supply<T> extends Stock<T>, Waiting<T> {
  /** This pool's part of a total that it shares with others, if it does. */
  readonly share: Share<T> | undefined;
}
