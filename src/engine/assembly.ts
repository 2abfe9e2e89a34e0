import { lookOnce } from './advice/advise.js';
import { Exchange, type ExchangeParts } from './exchange.js';
import type { Interior } from './interior.js';
import type { Lease } from './lease.js';
import { LeakWatch } from './lending/leak-watch.js';
import { Preparations } from './preparations.js';
import { resolveOptions } from './options/checks.js';
import type { PoolOptions } from './options/options.js';
import { WaitingOwners } from './queue/owners.js';
import { Shedding } from './queue/shedding.js';
import { Refusal, WaiterQueue, type Served, type Waiter, type Wish } from './queue/waiter-queue.js';
import { Latencies } from './reports/latency.js';
import { newTotals, type PoolStats } from './reports/stats.js';
import { watchWith } from './reports/watch.js';
import { Returns } from './returns.js';
import { IdleSlots } from './slots/idle-slots.js';
import { Inspection } from './slots/inspection.js';
import { Lateness } from './slots/lateness.js';
import { recycle } from './slots/recycling.js';
import { Observed } from './slots/observed.js';
import { Retirement } from './slots/retirement.js';
import { Census, type Slot } from './slots/slot.js';
import { Upkeep } from './slots/upkeep.js';
import { Availability } from './state/availability.js';
import { Closing } from './state/closing.js';
import { Refusals } from './state/refusals.js';
import { snapshot } from './state/snapshot.js';
import { Growth } from './supply/growth.js';
import { Replacement } from './supply/replacement.js';
import type { Share } from './supply/share.js';
import { Commons } from './time/commons.js';

/** The parts of a pool that the pool itself has to do with. */
export interface Parts<T> extends Omit<ExchangeParts<T>, 'inspection' | 'replacement' | 'lend'> {
  readonly interior: Interior<T>;
  readonly exchange: Exchange<T>;
  readonly leaks: LeakWatch<T>;
  /** Undefined where there is no `onBorrow`. */
  readonly preparations: Preparations<T> | undefined;
  readonly returns: Returns<T>;
  /** Begins the end of the pool. */
  close(): Closing<T>;
}

/**
 * Puts the parts of one pool together: who is told what by whom. No part knows the pool, and none more of another than
 * it makes use of.
 *
 * @param serve lends a slot that is in state `idle`, in no list, to one who has waited
 * @param lend lends such a slot, whose `onBorrow` is done
 */
export function assemble<T>(
  options: PoolOptions<T>,
  serve: (slot: Slot<T>, waiter: Waiter<Lease<T>>) => Served<Lease<T>>,
  lend: (slot: Slot<T>, queuedMs: number, wish: Wish) => Lease<T>,
  common?: Commons,
  share?: Share<T>,
): Parts<T> {
  const { settings, factory, hooks } = resolveOptions(options);
  const { clock, name, min, max, overflow } = settings;
  const commons = common ?? new Commons(clock);
  const { alarm, deadlines, waits, coarse, standstill } = commons;
  const owners = new WaitingOwners(share?.owners);
  const title = share?.title ?? { pool: name, key: undefined };
  const interior: Interior<T> = {
    settings,
    title,
    limits: { min, max, overflow },
    suspended: false,
    factory,
    hooks,
    clock,
    coarse,
    alarm,
    deadlines,
    waits,
    watch: watchWith(settings.listeners, title),
    census: new Census(share?.census),
    slots: new Set(),
    idle: share?.idle ?? new IdleSlots(settings.order),
    waiters: new WaiterQueue(
      alarm,
      waits,
      {
        late: (waiter, at) => refusals.timedOut(waiter.wish.timeout, at),
        left: (waiter, why) => {
          const { totals, watch, observed, latencies, census } = interior;
          totals[why === 'late' ? 'timedOut' : 'aborted']++;
          const waitedMs = waits.now() - waiter.since;
          if (why === 'late' && census.places >= interior.limits.max + interior.limits.overflow) {
            observed.waitedAtMax(waitedMs, latencies.create.recent);
          }
          standstill.left(waitedMs);
          growth.demand.left(waitedMs, why);
          if (why === 'late') watch.onTimeout?.({ pool: name, at: clock.now(), waitedMs });
          exchange.serve();
        },
      },
      owners,
      share?.tally,
    ),
    owners,
    standstill,
    totals: newTotals(),
    latencies: new Latencies(),
    observed: new Observed(),
    share,
  };
  const lateness = new Lateness(interior);
  const retirement = new Retirement(
    interior,
    slot => replacement.gone(slot),
    () => exchange.serve(),
  );
  const replacement = new Replacement(interior, (slot, reason) => retirement.retire(slot, reason));
  const inspection = new Inspection(interior, lateness, {
    fit: slot => {
      exchange.offer(slot);
      // Who was served may be the last to be drained, or for whom more was kept, or wait for more.
      // Or it had come to its end, and who counted on it needs another. Or it can make room for another pool.
      const more = interior.waiters.length > 0 || exchange.surplus();
      if (more || exchange.closing || share) exchange.serve();
    },
    unfit: (slot, reason, cause) => {
      retirement.retire(slot, reason, cause);
      exchange.serve();
    },
  });
  const upkeep = new Upkeep(
    interior,
    {
      ended: (slot, reason) => retirement.retire(slot, reason),
      unproven: slot => inspection.validate(slot),
      ages: slot => replacement.ages(slot),
      done: () => exchange.serve(),
    },
    () => replacement.surplus,
  );
  const leaks = new LeakWatch(interior);
  const growth = new Growth(interior, replacement, lateness, {
    arrived: slot => {
      const { resource } = slot;
      upkeep.born(slot, clock.now());
      exchange.offer(slot);
      if (interior.totals.created === 1) lookOnce(interior, resource);
    },
    stillborn: slot => retirement.retire(slot, slot.doom ?? 'invalid', slot.doomCause),
    late: slot => retirement.retireLate(slot),
    invalidated: (slot, cause) => {
      const isNews = slot.condemn('invalid', cause);
      if (slot.lease) returns.invalidated(slot.lease, slot, cause);
      else preparations?.invalidated(slot, cause);
      if (!isNews || !interior.idle.has(slot)) return;
      interior.idle.remove(slot);
      retirement.retire(slot, 'invalid', cause);
      exchange.serve();
    },
    yields: slot => {
      inspection.overdue(slot, 'hangs, and another one needs its place');
    },
    overdue: (slot, now) => {
      if (lateness.notes(slot, now)) {
        if (slot.state === 'creating') {
          growth.attempts.late(slot);
          share?.proved(false);
        } else inspection.suspect(slot);
        exchange.serve();
        return;
      }
      switch (slot.state) {
        case 'creating':
          growth.giveUp(slot, refusals.createTimedOut(), 'limit');
          return;
        case 'validating':
        case 'resetting':
          inspection.overdue(slot);
          return;
        case 'preparing':
          preparations?.overdue(slot);
          return;
        case 'leased':
          returns.overheld(slot);
          return;
        case 'closing':
          retirement.giveUp(slot);
          return;
        default:
      }
    },
    changed: () => exchange.serve(),
  });
  const refusals = new Refusals(interior, growth, (): PoolStats =>
    snapshot(interior, availability.state, growth.attempts),
  );
  const availability = new Availability(interior, growth, refusals);
  const { shed } = settings;
  const shedding = shed && new Shedding(interior, shed, waiter => refusals.shed(waiter, shed));
  const exchange = new Exchange(interior, {
    availability,
    growth,
    inspection,
    refusals,
    replacement,
    retirement,
    shedding,
    upkeep,
    lend: serve,
  });
  const returns = new Returns(interior, exchange, inspection, retirement, leaks, () => {
    recycle(interior, upkeep, retirement, 0);
  });
  const preparations =
    hooks.onBorrow &&
    new Preparations<T>(interior, {
      lend,
      unlent: (slot, error, outcome, owner) => {
        returns.unlent(slot, error, outcome, owner);
      },
      lost: (slot, reason, why) => retirement.retire(slot, reason, why),
      late: timeout => refusals.unprepared(timeout),
      left: (waitedMs, why) => {
        const { totals, watch } = interior;
        totals[why === 'late' ? 'timedOut' : 'aborted']++;
        standstill.left(waitedMs);
        if (why === 'late') watch.onTimeout?.({ pool: name, at: clock.now(), waitedMs });
        exchange.serve();
      },
      changed: () => exchange.serve(),
    });
  const close = (): Closing<T> => {
    const closing = new Closing(interior, growth, retirement, refusals, {
      revoke: (slot, lease, why) => returns.foreclose(lease, slot, why),
      unprepare: (slot, why) => preparations?.foreclose(slot, why, new Refusal(() => refusals.closed())),
      changed: () => exchange.serve(),
      done: () => {
        shedding?.stop();
        commons.leave();
        share?.leave();
        availability.become('closed');
      },
    });
    exchange.closing = closing;
    upkeep.stop();
    availability.drain();
    return closing;
  };
  commons.enter();
  share?.join({
    interior,
    growth,
    serve: () => exchange.serve(),
    giveUp: slot => {
      growth.giveUp(slot, new Error('create hangs, and another key needs its place'), 'place');
    },
    evict: slot => {
      interior.idle.remove(slot);
      retirement.retire(slot, 'evicted');
    },
    deadlocked: (waiter, holders) => refusals.deadlock(waiter, holders),
  });
  return {
    interior,
    availability,
    exchange,
    growth,
    leaks,
    preparations,
    refusals,
    retirement,
    returns,
    shedding,
    upkeep,
    close,
  };
}
