import type { PoolState } from '../engine/index.js';
import type { Sample } from './sample.js';

/** Who holds something now. */
export interface Holding {
  /** What it calls itself, or where it has acquired; undefined where neither is known. */
  readonly who: string | undefined;
  readonly heldMs: number;
}

/** Creates that keep failing. */
export interface Failing {
  readonly attempts: number;
  readonly forMs: number;
  /** The class of the last error and its code: never what it says. */
  readonly error: string;
  /** Milliseconds until the next attempt; undefined where that is not known. */
  readonly retryInMs: number | undefined;
}

/** A pool as it is now. */
export interface Now {
  readonly state: PoolState;
  /** What its resources are connections to, in a word: `database`. */
  readonly backend: string;
  readonly total: number;
  readonly failing: Failing | undefined;
  readonly holders: readonly Holding[];
  /** Everybody who has been seen to hold or to wait in the last minutes. */
  readonly known: readonly string[];
  /** Who holds what was reported as a leak, and has not come back. */
  readonly leaks: readonly Holding[];
}

export type Verdict =
  'well' | 'busy' | 'held' | 'slow' | 'dead' | 'unsure' | 'starting' | 'suspended' | 'closing';

export interface Diagnosis {
  readonly verdict: Verdict;
  /** Is it worse than a remark: is anybody kept waiting, or refused? */
  readonly serious: boolean;
  readonly title: string;
  /** What was measured, in sentences. */
  readonly text: string;
  /** What to do next; empty where there is nothing to do. */
  readonly next: string;
}

/** Samples, so seconds: what is "now". */
const RECENT = 10;
/** What is older than so many samples is "usual". */
const USUAL_BEFORE = 20;
/** So many samples with measured holds make a usual one. */
const ENOUGH = 5;
/** Milliseconds: a hold that is shorter is no long one, whatever is usual. */
const LONG = 1_000;
/** So many times as long as usual is longer. */
const TIMES = 3;

/**
 * Which of three is it: code that holds for too long, a slow backend, or a dead one? Or is there only more demand than there are
 * resources? Of what was measured alone; where that does not tell, it says so.
 *
 * @param history one sample a second, the oldest first
 */
export function diagnose(history: readonly Sample[], now: Now): Diagnosis {
  const recent = history.slice(-RECENT);
  const before = history.slice(0, -USUAL_BEFORE);
  const facts: Facts = { recent, before, last: recent.at(-1), pressed: isPressed(recent), now };
  return notServing(facts) ?? dead(facts) ?? held(facts) ?? slower(facts) ?? full(facts) ?? calm(facts);
}

interface Facts {
  readonly recent: readonly Sample[];
  readonly before: readonly Sample[];
  readonly last: Sample | undefined;
  /** Does anybody pay for it? */
  readonly pressed: boolean;
  readonly now: Now;
}

function isPressed(recent: readonly Sample[]): boolean {
  const last = recent.slice(-3);
  return last.some(({ oldestWaitMs, timedOut, refused }) => oldestWaitMs > 200 || timedOut + refused > 0);
}

function notServing({ now, last }: Facts): Diagnosis | undefined {
  switch (now.state) {
    case 'suspended':
      return {
        verdict: 'suspended',
        serious: true,
        title: 'Suspended',
        text: `Somebody has suspended this pool. ${many(last?.waiting ?? 0, 'acquire waits', 'acquires wait')} for it to be resumed.`,
        next: 'Resume it when what it was suspended for is done.',
      };
    case 'draining':
    case 'closed':
      return {
        verdict: 'closing',
        serious: false,
        title: now.state === 'closed' ? 'Closed' : 'Closing',
        text: 'The pool is being closed with its application.',
        next: '',
      };
    default:
      return undefined;
  }
}

function dead({ now, last }: Facts): Diagnosis | undefined {
  const { failing, state, backend } = now;
  if (!failing || (state !== 'unavailable' && failing.attempts < 2)) return undefined;
  const { attempts, forMs, error, retryInMs } = failing;
  const retry = retryInMs === undefined ? '' : `, the next one in ${duration(retryInMs)}`;
  const serving = (last?.leased ?? 0) + (last?.idle ?? 0);
  const left =
    serving > 0
      ? ` ${many(serving, 'connection that was made before is', 'connections that were made before are')} still there.`
      : '';
  return {
    verdict: 'dead',
    serious: true,
    title: `Dead ${backend}`,
    text: `No connection can be made: ${error}, for ${duration(forMs)}, ${many(attempts, 'attempt', 'attempts')} in a row${retry}.${left}`,
    next: hintFor(error, backend),
  };
}

/** What codes of the network and of the usual databases mean. */
const HINTS: readonly (readonly [RegExp, (backend: string) => string])[] = [
  [/ECONNREFUSED/, of => `Nothing listens there. Is the ${of} running, and is its port right?`],
  [
    /ENOTFOUND|EAI_AGAIN/,
    of => `The name of its host is not known. Look at the DNS, and at the host the ${of} is said to have.`,
  ],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    of => `The network does not get there. Look at the route and the firewall before the ${of}.`,
  ],
  [
    /ECONNRESET|EPIPE/,
    of => `Connections break while they are made. Look at the ${of}'s log, and at a proxy before it.`,
  ],
  [
    /28P01|28000|ER_ACCESS_DENIED|WRONGPASS|NOAUTH/,
    of => `The ${of} answers, and refuses the password or the role.`,
  ],
  [/3D000|ER_BAD_DB/, of => `The ${of} server answers, and has no database of this name.`],
  [
    /53300|ER_CON_COUNT|ER_TOO_MANY/,
    of => `The ${of} answers, and is full: others have all of its connections.`,
  ],
  [/57P0[123]/, of => `The ${of} is starting up or shutting down.`],
];

function hintFor(error: string, backend: string): string {
  const found = HINTS.find(([code]) => code.test(error));
  return (
    found?.[1](backend) ??
    `Look at the ${backend}: is it running, can it be reached from here, does it let this application in?`
  );
}

/** Some hold for long: is it one, or is it everybody? */
function held({ now, last, before, pressed }: Facts): Diagnosis | undefined {
  const usual = median(before, 'holdMs');
  const limit = Math.max(LONG, 5 * (usual ?? 0));
  const leaks = new Set(now.leaks);
  const long = now.holders.filter(one => one.heldMs >= limit || leaks.has(one));
  if (long.length === 0) return undefined;
  const serious = pressed || long.length >= (last?.max ?? Infinity);
  if (!serious && now.leaks.length === 0) return undefined;

  const groups = groupsOf(long);
  const [top] = groups as [Group, ...Group[]];
  const named = groups.filter(({ who }) => who !== undefined);
  const longest = `the longest for ${duration(Math.max(...long.map(one => one.heldMs)))}`;
  const count = many(long.length, 'resource is held', 'resources are held');
  const share = top.count / long.length;
  const others = now.known.filter(who => who !== top.who).length;

  if (named.length >= 2 && share <= 0.6) {
    const everybody = named.length >= 3 || named.length >= now.known.length;
    const names = named.slice(0, 3).map(({ who }) => who);
    return {
      verdict: everybody ? 'slow' : 'unsure',
      serious,
      title: everybody ? `Slow ${now.backend}` : `A slow ${now.backend}, or code that holds for too long`,
      text:
        `${count} for long at the same time by ${named.length} different borrowers (${names.join(', ')}${named.length > 3 ? ', …' : ''}), ${longest}` +
        `${usual === undefined ? '' : `; usual are ${duration(usual)}`}.`,
      next: `They have only the ${now.backend} in common: look at its load, its locks and its slow queries.`,
    };
  }
  if (top.who === undefined) {
    return {
      verdict: 'unsure',
      serious,
      title: 'Held for long, by whom is not known',
      text: `${count} for long, ${longest}. Nobody has said who borrows, and no stack was kept: code that holds and a slow ${now.backend} look alike.`,
      next: 'Set leakThreshold for this pool: then stacks are shown here.',
    };
  }
  const ofTop = `${top.count === long.length ? count : `${count} for long, ${top.count} of them`} by ${top.who}, ${longest}`;
  if (others === 0) {
    return {
      verdict: now.leaks.length > 0 ? 'held' : 'unsure',
      serious,
      title: `Held for long by ${top.who}`,
      text: `${ofTop}. Nobody else borrows here, so it cannot be compared.`,
      next: `Does it wait for the ${now.backend}, or for something else while it holds? Its stack and the ${now.backend}'s list of running statements tell.`,
    };
  }
  return {
    verdict: 'held',
    serious,
    title: `Held too long by ${top.who}`,
    text: `${ofTop}. ${many(others, 'other borrower does', 'other borrowers do')} not: the ${now.backend} is not what they wait for.`,
    next: 'Look for a way through this code that does not give back, or that waits for something else while it holds. The stack below, if there is one, says where.',
  };
}

interface Group {
  readonly who: string | undefined;
  readonly count: number;
}

/** The largest first. */
function groupsOf(long: readonly Holding[]): Group[] {
  const counts = new Map<string | undefined, number>();
  for (const { who } of long) counts.set(who, (counts.get(who) ?? 0) + 1);
  return Array.from(counts, ([who, count]) => ({ who, count })).sort((a, b) => b.count - a.count);
}

/** Nobody holds for very long, and yet everything takes longer than it did. */
function slower({ now, recent, before, pressed }: Facts): Diagnosis | undefined {
  const { backend } = now;
  const slow = (text: string, next: string): Diagnosis => ({
    ...{ verdict: 'slow', serious: pressed, title: `Slow ${backend}`, text, next },
  });
  const [usual, holds] = [median(before, 'holdMs'), median(recent, 'holdMs', 2)];
  if (usual !== undefined && holds !== undefined && holds >= TIMES * usual && holds - usual >= 20) {
    return slow(
      `Holds have got longer across the board: half of them took ${duration(usual)}, and take ${duration(holds)} now.`,
      `Look at the ${backend}'s load, its locks and its slow queries; or has a new version of this application been rolled out?`,
    );
  }
  const creates = median(recent, 'createMs', 1);
  const usualCreate = median(before, 'createMs', 1) ?? 0;
  if (creates !== undefined && creates >= Math.max(LONG, TIMES * usualCreate)) {
    return slow(
      `A new connection takes ${duration(creates)} to be made${usualCreate > 0 ? `; it took ${duration(usualCreate)}` : ''}.`,
      `Look at the ${backend}'s load, and at the network to it.`,
    );
  }
  const last = recent.slice(-5);
  if (pressed && last.length === 5 && last.every(({ creating, created }) => creating > 0 && created === 0)) {
    return slow(
      `New connections have been in the making for 5 s, and none is there.`,
      `The ${backend} or the network to it answers slowly, or no longer at all: when createTimeout has passed, this page will know.`,
    );
  }
  const [validating, live] = [sum(recent, 'validating'), sum(recent, 'leased') + sum(recent, 'validating')];
  if (pressed && validating >= RECENT && validating >= 0.3 * live) {
    return slow(
      `Checks of idle connections take long: ${Math.round((100 * validating) / live)} % of the time that connections are in use.`,
      `The ${backend} or the network to it answers slowly.`,
    );
  }
  return undefined;
}

/** Somebody waits, and nobody holds for longer than usual. */
function full({ now, last, recent, pressed }: Facts): Diagnosis | undefined {
  if (!pressed || !last) return undefined;
  const [{ max }, leased] = [last, sum(recent, 'leased') / Math.max(1, recent.length)];
  const rate = sum(recent, 'acquired') / Math.max(1, recent.length);
  const hold = median(recent, 'holdMs', 1);
  if (leased < 0.7 * max) {
    return {
      verdict: now.state === 'starting' || last.creating > 0 ? 'starting' : 'unsure',
      serious: last.creating === 0,
      title: last.creating > 0 ? 'Making connections' : 'Somebody waits, and it is not clear why',
      text: `${many(last.waiting, 'acquire waits', 'acquires wait')}, ${last.leased} of ${max} are in use, ${last.creating} are being made.`,
      next: '',
    };
  }
  return {
    verdict: 'busy',
    serious: true,
    title: `Busy: more demand than ${max} can serve`,
    text:
      `${last.leased} of ${max} are in use and ${many(last.waiting, 'acquire waits', 'acquires wait')}; nobody holds for longer than usual. ` +
      `${Math.round(rate)} borrows a second are served${hold === undefined ? '' : `, half of them hold for no longer than ${duration(hold)}`}.`,
    next: `Raise max if the ${now.backend} can take more, hold for shorter, or take in less.`,
  };
}

function calm({ now, last, recent }: Facts): Diagnosis {
  const rest = { serious: false, next: '' };
  if (!last)
    return { ...rest, verdict: 'starting', title: 'Nothing measured yet', text: 'A moment, please.' };
  const starting = now.state === 'starting';
  const rate = sum(recent, 'acquired') / recent.length;
  const { leased, max } = last;
  const use = `${leased} of ${max} in use`;
  if (starting)
    return {
      ...rest,
      verdict: 'starting',
      title: 'Starting',
      text: `${use}, ${last.creating} are being made.`,
    };
  const text =
    rate === 0 && leased === 0
      ? `Nobody borrows at the moment; ${many(last.idle, 'resource is', 'resources are')} idle.`
      : `${use}, nobody waits for long. ${rate < 1 ? 'Less than one borrow' : many(Math.round(rate), 'borrow', 'borrows')} a second.`;
  return { ...rest, verdict: 'well', title: 'All is well', text };
}

/** Of what was measured in these seconds; undefined where that is in too few of them. */
function median(
  samples: readonly Sample[],
  field: 'holdMs' | 'createMs',
  enough = ENOUGH,
): number | undefined {
  const values = samples.map(sample => sample[field]).filter(value => value !== undefined);
  if (values.length < enough) return undefined;
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function sum(samples: readonly Sample[], field: 'acquired' | 'leased' | 'validating'): number {
  return samples.reduce((total, sample) => total + sample[field], 0);
}

function many(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

export function duration(ms: number): string {
  if (ms < 1) return 'less than 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const s = Math.round(ms / 1_000);
  if (s < 120) return `${s} s`;
  const minutes = Math.floor(s / 60);
  return minutes < 120 ? `${minutes} min ${s % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
