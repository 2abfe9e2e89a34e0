import type { Priority } from '../basics/priority.js';

/** What those who watch are told of the options of an acquire. */
export interface Asked {
  readonly priority: Priority;
  /** Who borrows, as it said so with the `owner` of the acquire. */
  readonly owner: object | undefined;
}

type AskedOptions = { readonly [A in keyof Asked]?: Asked[A] | undefined };

/**
 * Options may be anything, also nothing that can be read: then the acquire fails, in its own way, and not because somebody
 * watches.
 */
export function askedBy(options: AskedOptions | undefined): Asked {
  try {
    const { priority = 'normal', owner } = options ?? {};
    return { priority, owner };
  } catch {
    return { priority: 'normal', owner: undefined };
  }
}
