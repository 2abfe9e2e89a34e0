import type { EventEmitter } from 'node:events';

/** With which an emitter tells what becomes of its listeners. */
const META_EVENTS = ['newListener', 'removeListener'];

/** Tells the listeners that a client came with from those of its borrowers. */
export class Listeners {
  private readonly own = new Set<unknown>();
  /** The borrower has added or removed some. */
  private disturbed = false;

  /** To be made when all listeners are there that are to stay. */
  constructor(private readonly client: EventEmitter) {
    for (const event of META_EVENTS) {
      client.on(event, () => {
        this.disturbed = true;
      });
    }
    for (const event of client.eventNames()) {
      for (const listener of client.rawListeners(event)) this.own.add(listener);
    }
    this.disturbed = false;
  }

  /**
   * Removes the listeners that borrowers have added.
   *
   * @returns false when somebody has removed one of the others: it was not there when something happened
   */
  clean(): boolean {
    const { client, own } = this;
    // To look at all of them each time would cost as much as the pool does.
    if (!this.disturbed && META_EVENTS.every(event => client.listenerCount(event) > 0)) return true;
    let left = 0;
    for (const event of client.eventNames()) {
      for (const listener of client.rawListeners(event)) {
        if (own.has(listener)) left++;
        else client.removeListener(event, listener as () => void);
      }
    }
    this.disturbed = false;
    return left === own.size;
  }
}
