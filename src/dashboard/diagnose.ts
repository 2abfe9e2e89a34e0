import { held } from './held.js';
import { LONG, quantileOf, sum, type Diagnosis, type Facts, type Now, type Stage } from './facts.js';
import type { Sample } from './sample.js';
import { duration, many } from './words.js';

/** Samples, so seconds: what is "now". */
const RECENT = 10;
/** What is older than so many samples is "usual". */
const USUAL_BEFORE = 20;
/** So many samples of the past are worth more than the last minutes. */
const MEMORIES = 10;
/** So many times as long as usual is longer. */
const TIMES = 3;

/**
 * Which of three is it: code that holds for too long, a slow backend, or a dead one? Or is there only more demand than there are
 * resources? Of what was measured alone; where that does not tell, it says so.
 *
 * @param history one sample a second, the oldest first
 * @param past what was before that, a sample now and then: what lasts for long does not become usual by that
 */
export function diagnose(history: readonly Sample[], now: Now, past: readonly Sample[] = []): Diagnosis {
  const recent = history.slice(-RECENT);
  const before = past.length >= MEMORIES ? past : untilItBegan(history.slice(0, -USUAL_BEFORE));
  const last = recent.at(-1);
  const facts: Facts = {
    ...{ history, recent, before, last, now },
    pressed: pressedOf(recent),
    stage: stageOf(now, last),
  };
  const byHolders = held(facts);
  // Who holds may not tell, where what came back does.
  const sure = byHolders?.verdict === 'unsure' ? undefined : byHolders;
  return notServing(facts) ?? dead(facts) ?? sure ?? slower(facts) ?? byHolders ?? full(facts) ?? calm(facts);
}

/** What lasts is compared with what was before it began: without the seconds at the end that are all of longer holds. */
function untilItBegan(before: readonly Sample[]): readonly Sample[] {
  const least = quantileOf(before, 'holdMs', { share: 0.25 });
  if (least === undefined) return before;
  const isShort = ({ holdMs }: Sample): boolean => holdMs !== undefined && holdMs <= TIMES * least;
  return before.slice(0, before.findLastIndex(isShort) + 1);
}

/** Milliseconds: whoever waits longer pays for it. */
const A_WAIT = 200;

function pressedOf(recent: readonly Sample[]): Sample | undefined {
  return recent
    .slice(-3)
    .filter(({ oldestWaitMs, timedOut, refused }) => oldestWaitMs > A_WAIT || timedOut + refused > 0)
    .sort((a, b) => b.leased - a.leased)[0];
}

/** Those who wait for a key wait for those who hold for it, however much there is for others; unless all is in use. */
function stageOf({ keyed, holders }: Now, last: Sample | undefined): Stage {
  const { max = Infinity, leased = 0 } = last ?? {};
  if (!keyed || keyed.waitedFor.length === 0 || leased >= max) return { max, leased, holders, whose: '' };
  const keys = new Set(keyed.waitedFor);
  const theirs = holders.filter(({ key }) => key !== undefined && keys.has(key));
  const [key] = keys;
  return {
    max: keyed.max * keys.size,
    leased: theirs.length,
    holders: theirs,
    whose: keys.size === 1 ? ` for the key ${key}` : ` for ${keys.size} keys`,
  };
}

function notServing({ now, last }: Facts): Diagnosis | undefined {
  switch (now.state) {
    case 'suspended':
      return {
        verdict: 'suspended',
        serious: (last?.waiting ?? 0) > 0,
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
        text: `The pool is being closed with its application${now.holders.length > 0 ? `, and waits for what is still held: ${now.holders.length}` : ''}.`,
        next: '',
      };
    default:
      return undefined;
  }
}

function dead({ now, last }: Facts): Diagnosis | undefined {
  const { failing, state, backend } = now;
  if (!failing || (state !== 'unavailable' && failing.attempts < 2)) return undefined;
  const { attempts, forMs, error, retryInMs, key } = failing;
  const retry = retryInMs === undefined ? '' : `, the next one in ${duration(retryInMs)}`;
  const serving = (last?.leased ?? 0) + (last?.idle ?? 0);
  const left =
    serving > 0
      ? ` ${many(serving, 'connection that was made before is', 'connections that were made before are')} still there.`
      : '';
  return {
    verdict: 'dead',
    serious: true,
    title: `Dead ${backend}${key === undefined ? '' : ` of the key ${key}`}`,
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

/** Nobody holds for very long, and yet everything takes longer than it did. */
function slower({ now, recent, before, pressed }: Facts): Diagnosis | undefined {
  const { backend } = now;
  const slow = (text: string, next: string): Diagnosis => ({
    ...{ verdict: 'slow', serious: pressed !== undefined, title: `Slow ${backend}`, text, next },
  });
  const [usual, holds] = [quantileOf(before, 'holdMs'), quantileOf(recent, 'holdMs')];
  // Where holds are of several kinds, a second may have measured only long ones: longer is what hardly any second has seen.
  const most = quantileOf(before, 'holdMs', { share: 0.9 });
  const limit = usual === undefined ? Infinity : Math.max(TIMES * usual, usual + 20, 1.5 * most!);
  if (usual !== undefined && holds !== undefined && holds >= limit) {
    return slow(
      `Holds have got longer across the board: half of them took ${duration(usual)}, and take ${duration(holds)} now.`,
      `Look at the ${backend}'s load, its locks and its slow queries; or has a new version of this application been rolled out?`,
    );
  }
  const creates = quantileOf(recent, 'createMs', { enough: 1 });
  const usualCreate = quantileOf(before, 'createMs', { enough: 1 }) ?? 0;
  // The first ones are made while the application warms up.
  if (creates !== undefined && creates >= Math.max(usualCreate > 0 ? LONG : 3 * LONG, TIMES * usualCreate)) {
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

/** Somebody waits, or has waited, and nobody holds for longer than usual. */
function full({ now, last, recent, pressed, stage }: Facts): Diagnosis | undefined {
  if (!pressed || !last) return undefined;
  const waits = many(last.waiting, 'acquire waits', 'acquires wait');
  const isNow = last.waiting + last.timedOut + last.refused > 0;
  const keys = stage.whose !== '';
  const { max } = stage;
  const leased = keys ? stage.leased : pressed.leased;
  if (leased < 0.7 * max) {
    if (!isNow) return undefined;
    return {
      verdict: now.state === 'starting' || last.creating > 0 ? 'starting' : 'unsure',
      serious: last.creating === 0,
      title: last.creating > 0 ? 'Making connections' : 'Somebody waits, and it is not clear why',
      text: `${waits}, ${last.leased} of ${last.max} are in use, ${last.creating} are being made.`,
      next: '',
    };
  }
  const rate = sum(recent, 'acquired') / Math.max(1, recent.length);
  const hold = quantileOf(recent, 'holdMs', { enough: 1 });
  const served = `${Math.round(rate)} borrows a second are served${hold === undefined ? '' : `, half of them hold for no longer than ${duration(hold)}`}.`;
  if (!isNow) {
    return {
      verdict: 'busy',
      serious: false,
      title: 'Busy for a moment',
      text: `All ${max} were in use and somebody had to wait; that is over. ${served}`,
      next: '',
    };
  }
  return {
    verdict: 'busy',
    serious: true,
    title: `Busy: more demand${stage.whose} than ${max} can serve`,
    text: `${keys ? leased : last.leased} of ${max} are in use${stage.whose} and ${waits}; ${longOf(stage)}. ${served}`,
    next:
      hold !== undefined && hold >= LONG
        ? `Find out first why they hold for so long: if the ${now.backend} is slow, a larger pool makes it slower.`
        : `Raise max if the ${now.backend} can take more, hold for shorter, or take in less.`,
  };
}

function longOf({ holders }: Stage): string {
  const long = holders.filter(({ heldMs }) => heldMs >= LONG).length;
  return long === 0
    ? 'nobody holds for longer than usual'
    : `${many(long, 'hold is', 'holds are')} longer than a second, too few to explain it`;
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
