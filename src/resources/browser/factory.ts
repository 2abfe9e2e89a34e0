import type { CreateContext, DestroyReason, Handle, ResourceFactory } from '../../engine/index.js';
import { Fleet } from './fleet.js';
import type { BrowserRules } from './rules.js';
import { Seat } from './seat.js';
import type { ContextLike } from './shapes.js';
import { standIn } from './stand-in.js';
import type { BrowserStats } from './stats.js';

/** How a pool makes, checks, renews and ends contexts of browsers that they share. */
export class BrowserFactory implements ResourceFactory<ContextLike> {
  private readonly seats = new WeakMap<ContextLike, Seat>();
  private readonly fleet: Fleet;
  readonly isFatal: (error: unknown, resource: ContextLike) => boolean;
  readonly isRetryable: (error: unknown) => boolean;

  constructor(rules: BrowserRules, own: Pick<ResourceFactory<ContextLike>, 'isFatal' | 'isRetryable'>) {
    this.fleet = new Fleet(rules);
    this.isFatal = (error, resource) => own.isFatal?.(error, this.seat(resource).context) ?? false;
    this.isRetryable = error => own.isRetryable?.(error) ?? true;
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  readonly create = async ({ signal, invalidate }: CreateContext): Promise<ContextLike> => {
    const seat = new Seat(this.fleet, invalidate);
    await seat.open(signal);
    const resource = standIn(seat);
    this.seats.set(resource, seat);
    return resource;
  };

  readonly validate = (resource: ContextLike): Promise<boolean> => {
    return this.seat(resource).fit();
  };

  readonly reset = (resource: ContextLike): Promise<void> => {
    return this.seat(resource).renew();
  };

  readonly destroy = (resource: ContextLike, reason: DestroyReason): Promise<void> => {
    return this.seat(resource).end(reason);
  };

  readonly handle = (resource: ContextLike): Handle<ContextLike> => {
    const seat = this.seat(resource);
    return { resource: seat.lend(), revoke: why => seat.revoke(why) };
  };

  readonly stats = (): BrowserStats => this.fleet.stats;

  private seat(resource: ContextLike): Seat {
    const seat = this.seats.get(resource);
    if (!seat) throw new TypeError('This context was not made by this factory');
    return seat;
  }
}
