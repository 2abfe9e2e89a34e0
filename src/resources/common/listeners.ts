import type { EventEmitter } from 'node:events';

interface Added {
  readonly event: string | symbol;
  readonly listener: unknown;
}

/** Tells the listeners that a client came with from those of its borrowers. */
export class Listeners {
  private readonly own = new Set<unknown>();
  private readonly kept = new Set<unknown>();
  /** What borrowers have added since all were looked at, and not removed again. */
  private readonly added: Added[] = [];
  /** They have removed others. */
  private disturbed = false;

  /** To be made when all listeners are there that are to stay. */
  constructor(private readonly client: EventEmitter) {
    client.on('newListener', (event: string | symbol, listener: unknown) => {
      this.added.push({ event, listener });
    });
    client.on('removeListener', (event: string | symbol, listener: unknown) => {
      const { added } = this;
      const at = added.findLastIndex(one => one.listener === listener && one.event === event);
      if (at < 0) this.disturbed = true;
      else added.splice(at, 1);
    });
    for (const { listener } of this.all()) this.own.add(listener);
    this.looked();
  }

  /** What there is now stays until {@link renew}. */
  keep(): void {
    if (this.unchanged) return;
    this.kept.clear();
    for (const { listener } of this.all()) if (!this.own.has(listener)) this.kept.add(listener);
    // Whether all of our own are there is still to be seen.
    this.disturbed = true;
  }

  /**
   * Removes the listeners that borrowers have added.
   *
   * @returns false when somebody has removed one that the client came with: it was not there when something happened
   */
  clean(): boolean {
    return this.unchanged || this.sweep();
  }

  /** As {@link clean}, and removes those that were kept. */
  renew(): boolean {
    this.kept.clear();
    return this.sweep();
  }

  /** To look at all of them each time would cost as much as the pool does. */
  private get unchanged(): boolean {
    const { client } = this;
    if (this.disturbed || this.added.length > 0) return false;
    // Without ours we would not have been told.
    return client.listenerCount('newListener') > 0 && client.listenerCount('removeListener') > 0;
  }

  private sweep(): boolean {
    let left = 0;
    for (const { event, listener } of this.all()) {
      if (this.own.has(listener)) left++;
      else if (!this.kept.has(listener)) this.client.removeListener(event, listener as () => void);
    }
    this.looked();
    return left === this.own.size;
  }

  private all(): Added[] {
    const { client } = this;
    return client
      .eventNames()
      .flatMap(event => client.rawListeners(event).map(listener => ({ event, listener })));
  }

  private looked(): void {
    this.added.length = 0;
    this.disturbed = false;
  }
}
