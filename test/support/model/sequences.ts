import fc from 'fast-check';
import type {
  Command,
  CommandNamed,
  Ending,
  Entrance,
  Hook,
  Manner,
  Member,
  Moment,
  Priority,
} from './commands.js';

/** How often each command comes, relative to the others. */
export type Weights = Partial<Record<Command['do'], number>>;

const USUAL: Required<Weights> = {
  acquire: 240,
  tryAcquire: 40,
  abort: 40,
  release: 180,
  destroy: 20,
  detach: 10,
  again: 25,
  invalidate: 30,
  settle: 260,
  manner: 50,
  reenter: 40,
  pass: 120,
  resize: 10,
  suspend: 6,
  resume: 30,
  recycle: 10,
  start: 10,
  close: 3,
};

const LONGEST = 40;

const which = fc.nat(5);
const { constantFrom } = fc;
const one = <D extends Command['do']>(name: D): fc.Arbitrary<D> => fc.constant(name);
/** Mostly as plain as it can be. */
const rarely = <V>(...values: V[]): fc.Arbitrary<V | undefined> =>
  fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 2 },
    { arbitrary: constantFrom(...values), weight: 1 },
  );

const recycle = fc.record({ do: one('recycle'), spread: constantFrom(0, 0, 200) });
const close = fc.record({ do: one('close'), timeout: constantFrom(0, 100, 10_000), drain: fc.boolean() });
const abort = fc.record({ do: one('abort'), which });
const invalidate = fc.record({ do: one('invalidate'), which });

const MEMBERS: readonly Member[] = ['create', 'validate', 'reset', 'destroy'];
const HOOKS: readonly Hook[] = ['onCreate', 'onBorrow', 'onReturn'];

/** @param hooks those that there may be */
const kindsWith = (hooks: readonly Hook[]): { [D in Command['do']]: fc.Arbitrary<CommandNamed<D>> } => ({
  acquire: fc.record({
    do: one('acquire'),
    timeout: constantFrom(undefined, 0, 30, 200, 1_100, Infinity),
    signal: rarely<'later' | 'aborted'>('later', 'later', 'aborted'),
    priority: rarely<Priority>('low', 'normal', 'high'),
    owner: rarely(0, 1),
    use: rarely(true),
  }),
  tryAcquire: fc.record({ do: one('tryAcquire') }),
  abort,
  release: fc.record({ do: one('release'), which, error: rarely<'harmless' | 'fatal'>('harmless', 'fatal') }),
  destroy: fc.record({ do: one('destroy'), which }),
  detach: fc.record({ do: one('detach'), which }),
  again: fc.record({ do: one('again'), which, how: constantFrom('release', 'destroy', 'detach') }),
  invalidate,
  settle: fc.record({
    do: one('settle'),
    how: constantFrom<Ending>('well', 'well', 'well', 'well', 'badly', 'refused'),
  }),
  manner: fc.record({
    do: one('manner'),
    of: constantFrom<Member>(...MEMBERS, ...hooks),
    is: constantFrom<Manner>('later', 'later', 'later', 'promised', 'sync', 'throws', 'rejects'),
  }),
  reenter: fc.record({
    do: one('reenter'),
    from: constantFrom<Entrance>(
      'create',
      'validate',
      'reset',
      'destroy',
      'isFatal',
      'onAcquire',
      'onRelease',
      'onDestroy',
      ...hooks,
    ),
    with: fc.oneof(
      { arbitrary: fc.record({ do: one('acquire'), timeout: constantFrom(undefined, 0, 200) }), weight: 6 },
      { arbitrary: fc.record({ do: one('tryAcquire') }), weight: 3 },
      { arbitrary: fc.record({ do: one('release'), which }), weight: 6 },
      { arbitrary: invalidate, weight: 4 },
      { arbitrary: abort, weight: 4 },
      { arbitrary: fc.record({ do: one('suspend') }), weight: 1 },
      { arbitrary: recycle, weight: 2 },
      { arbitrary: close, weight: 1 },
    ),
  }),
  pass: fc.record({ do: one('pass'), ms: constantFrom(1, 7, 20, 60, 130, 320, 900) }),
  resize: fc
    .record({ do: one('resize'), min: fc.nat(2), max: fc.integer({ min: 1, max: 5 }), overflow: fc.nat(2) })
    .map(to => ({ ...to, min: Math.min(to.min, to.max) })),
  suspend: fc.record({ do: one('suspend') }),
  resume: fc.record({ do: one('resume') }),
  recycle,
  start: fc.record({ do: one('start'), timeout: constantFrom(100, Infinity) }),
  close,
});

/**
 * Sequences of moments; shorter and plainer ones when a failure is shrunk.
 *
 * @param hooked is it a pool with hooks?
 */
export function sequences(weights: Weights, hooked = false): fc.Arbitrary<Moment[]> {
  const kinds = kindsWith(hooked ? HOOKS : []);
  const all = { ...USUAL, ...weights };
  const command = fc.oneof(
    ...(Object.keys(kinds) as Command['do'][]).map(name => ({
      arbitrary: kinds[name] as fc.Arbitrary<Command>,
      weight: all[name],
    })),
  );
  const moment = fc.array(command, { minLength: 1, maxLength: 3, size: 'max' });
  return fc.array(moment, { maxLength: LONGEST, size: 'max' });
}
