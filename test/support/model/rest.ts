import type { Pool } from '../../../src/engine/index.js';
import type { Crowd } from './crowd.js';
import { COARSE, lateness, type Borrower, type Facts } from './facts.js';
import type { Item } from './resource.js';

const RANK = { high: 0, normal: 1, low: 2 } as const;

/** Must `a` be served before `b`? */
function goesBefore(a: Borrower, b: Borrower): boolean {
  const ranks = RANK[a.priority] - RANK[b.priority];
  return ranks < 0 || (ranks === 0 && a.order < b.order);
}

/** What is wrong now that everything which can settle by itself has settled. */
export function wrongAtRest(facts: Facts, crowd: Crowd, pool: Pool<Item>): string[] {
  const wrong = facts.violations.splice(0);
  facts.seeLate();
  const rules = [
    orderKept,
    nobodyLate,
    onlyFitIsKept,
    nobodyWaitsInVain,
    enoughIsMade,
    countsRight,
    quiet,
    closedForGood,
    holdersAreTold,
    noDeadlock,
    borrowersAreTold,
  ];
  for (const rule of rules) wrong.push(...rule(facts, crowd, pool));
  crowd.servedLately.clear();
  facts.failedLately = facts.failing !== undefined;
  facts.holders.clear();
  for (const { owner } of facts.lendings) if (owner) facts.holders.add(owner);
  return wrong;
}

function* orderKept({ waiting, lendings, has }: Facts, { servedLately }: Crowd): Generator<string> {
  for (const { lease, resource } of lendings) {
    if (!lease) yield `#${resource.slot} is lent, but nobody has been given it`;
  }
  // They are in order when their onBorrow begins, and not when it ends.
  if (has.onBorrow) return;
  for (const [served, { order }] of servedLately) {
    const still = [
      ...waiting,
      ...[...servedLately.keys()].filter(one => servedLately.get(one)!.order > order),
    ];
    for (const other of still) {
      if (goesBefore(other, served) && other.order < order) {
        yield `acquire ${served.order} was served before acquire ${other.order}`;
      }
    }
  }
}

function* nobodyLate({ waiting, patience }: Facts): Generator<string> {
  for (const { order, since, timeout, signal } of waiting) {
    const waited = patience - since;
    if (signal?.aborted) yield `acquire ${order} is aborted, and still waits`;
    if (waited > timeout + lateness(timeout)) yield `acquire ${order} waits for ${waited} of ${timeout} ms`;
    if (timeout === 0) yield `acquire ${order} waits, and has no time`;
  }
}

/** Whatever lies idle may be lent, and there is no more of it than allowed. */
function* onlyFitIsKept(facts: Facts): Generator<string> {
  const free = facts.resources.filter(one => one.free);
  for (const { slot, unfit, givenUp, dirty, due, renewed, endsBy } of free) {
    const late =
      COARSE + lateness(facts.settings.maxLifetime === Infinity ? 200 : facts.settings.maxLifetime);
    if (unfit) yield `#${slot} lies idle although ${unfit}`;
    if (givenUp) yield `#${slot} lies idle although its create was given up`;
    if (dirty) yield `#${slot} lies idle although it was not reset`;
    if (due && facts.has.onReturn) yield `#${slot} lies idle although its onReturn was not called`;
    if (renewed) yield `#${slot} lies idle although its onCreate was not called again`;
    if (facts.now > endsBy + late) yield `#${slot} lies idle although its life is over`;
  }
  const alive = facts.count(one => one.alive);
  const { max, overflow } = facts.limits;
  // Kept for somebody who waits, in case that what is meant for him does not come.
  const allowed = facts.waiting.size > 0 ? max + overflow : max;
  if (free.length > 0 && alive > allowed)
    yield `something is idle, ${alive} are alive, ${allowed} are allowed`;
}

function* nobodyWaitsInVain(facts: Facts): Generator<string> {
  if (facts.suspended) return;
  const free = facts.count(one => one.free);
  const validating = facts.count(one => one.undergoes('validate'));
  if (free > 0 && facts.queued > validating) yield `${facts.queued} wait, and ${free} are idle`;
}

/** How many of those who wait must have something made for them by now. */
function demanding(facts: Facts, creating: number): number {
  const { waiting, queued, settings, patience, longestCreate } = facts;
  switch (settings.growth) {
    case 'eager':
      return queued;
    case 'single':
      return creating === 0 ? queued : 0;
    case 'adaptive': {
      // However the pool came to believe that others would come back in time: they have not.
      const enough = longestCreate === 0 ? -1 : longestCreate + lateness(longestCreate);
      // Those who have a resource already, and wait for its onBorrow, may be among them.
      const served = waiting.size - queued;
      return [...waiting].filter(({ since }) => patience - since > enough).length - served;
    }
  }
}

/** Somebody waits, or fewer than `min` are alive: then as many are made as there is room for. */
function* enoughIsMade(facts: Facts): Generator<string> {
  const { failing, now, limits, settings } = facts;
  if (facts.suspended || facts.closing) return;
  const creating = facts.count(one => one.beingCreated && !one.isLate(facts));
  // Then one attempt at a time, when the back-off is over.
  const longest = settings.createBackoff.max ?? 0;
  if (failing && (creating > 0 || now <= failing.retryAt + lateness(longest))) return;
  // Likewise while creates take too long; and after an outage, until there have been enough that went well.
  if (facts.recovering && (creating > 0 || now <= facts.pausedUntil)) return;
  const coming =
    creating +
    facts.count(one => (one.undergoes('validate') || one.undergoes('reset')) && !one.isLate(facts));
  const room = limits.max + limits.overflow - facts.places;
  if (creating >= settings.createConcurrency || room <= 0) return;
  const wanted = demanding(facts, creating);
  if (wanted > coming) yield `${wanted} wait for it, ${coming} are coming, and nothing is created`;
  const alive = facts.count(one => one.alive);
  if (facts.begun && alive < limits.min && facts.places < limits.max)
    yield `${alive} are alive, min is ${limits.min}`;
}

function* countsRight(facts: Facts, _: Crowd, pool: Pool<Item>): Generator<string> {
  const { totals, ...stats } = pool.stats();
  const { seen } = facts;
  const known = {
    total: facts.places,
    creating: facts.count(one => one.beingCreated),
    idle: facts.count(one => one.free),
    leased: facts.lendings.size,
    validating: facts.count(one => one.undergoes('validate')),
    resetting: facts.count(one => one.undergoes('reset')),
    preparing: facts.count(one => one.undergoes('prepare')),
    closing: facts.count(one => one.state === 'ending' && !one.givenUp),
    abandoned: facts.count(one => one.givenUp && (one.making || one.state === 'ending')),
    waiting: facts.queued,
    ...facts.limits,
    ...seen,
    destroyedBy: seen.destroyed,
  };
  const destroyedBy = Object.values(totals.destroyedBy).reduce((sum, count) => sum + count, 0);
  const told: Record<string, unknown> = { ...stats, ...totals, destroyedBy };
  for (const [name, count] of Object.entries(known)) {
    if (name in told && told[name] !== count) yield `stats say ${name} ${String(told[name])}, it is ${count}`;
  }
  if (stats.state === 'unavailable' && facts.waiting.size > 0) yield 'somebody waits for an unavailable pool';
  if ((stats.state === 'suspended') !== facts.suspended) yield `the state is ${stats.state}`;
}

function* quiet({ clock, waiting, starting, closing }: Facts): Generator<string> {
  if (clock.timersLeft > 1) yield `${clock.timersLeft} timers are set`;
  const awaited = waiting.size > 0 || starting > 0 || (closing !== undefined && !closing.done);
  if (clock.holdsProcess !== awaited) yield `the process is ${awaited ? 'not held' : 'held'}`;
}

function* closedForGood(facts: Facts): Generator<string> {
  const { closing, now, waiting, queued, lendings, places } = facts;
  if (!closing) return;
  const { since, within, drain, done } = closing;
  const over = now - since > within + (within > 0 ? lateness(within) : -1);
  if (over ? waiting.size > 0 : queued > 0 && !drain) yield `${waiting.size} wait for a closed pool`;
  if (queued === 0 && facts.count(one => one.free) > 0) yield 'something lies idle in a closed pool';
  if (over && lendings.size > 0) yield 'somebody holds a resource past the deadline of close()';
  if (over && facts.count(one => one.alive) > 0) yield 'something is alive past the deadline of close()';
  if (done !== (places === 0 && waiting.size === 0)) {
    yield `close() is ${done ? 'done' : 'not done'} with ${places} places filled`;
  }
}

/** Who holds a resource hears of it when the pool takes it away or wants it back, and only then. */
function* holdersAreTold({ taken, lendings, now, settings }: Facts): Generator<string> {
  const { maxHold, maxHoldAction } = settings;
  for (const lease of taken) if (!lease.signal.aborted) yield 'a lease was taken away without a word';
  for (const { lease, since, resource } of lendings) {
    const late = now - since > maxHold + lateness(maxHold);
    if (late && maxHoldAction === 'destroy') yield `#${resource.slot} is held for longer than maxHold`;
    if (late && !lease?.signal.aborted) yield `#${resource.slot}: its holder is not told of maxHold`;
    if (resource.broken && !(lease?.broken && lease.signal.aborted))
      yield `#${resource.slot}: its holder is not told that it is broken`;
    if (now - since < maxHold && !resource.broken && lease?.signal.aborted)
      yield `#${resource.slot}: its holder is told too early`;
  }
}

/** Not everything is held by those who wait for more. */
function* noDeadlock({
  blamed,
  holders,
  lendings,
  waiting,
  places,
  limits,
  suspended,
}: Facts): Generator<string> {
  for (const owner of blamed.splice(0)) {
    if (!owner || !holders.has(owner))
      yield 'an acquire is refused for a deadlock, and its owner holds nothing';
  }
  if (suspended || places === 0 || places > lendings.size || places < limits.max + limits.overflow) return;
  const stuck = new Set([...waiting].map(one => one.owner));
  if ([...lendings].every(({ owner }) => owner && stuck.has(owner)))
    yield 'all is held by those who wait for more';
}

/** Whose `onBorrow` has failed hears of it, by its error. */
function* borrowersAreTold({ failedBorrows }: Facts): Generator<string> {
  for (const { aborted } of failedBorrows.values())
    if (!aborted) yield 'nobody is told that onBorrow has failed';
  failedBorrows.clear();
}
