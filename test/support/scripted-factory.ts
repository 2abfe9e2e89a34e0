import { inspect } from 'node:util';
import type {
  Clock,
  CreateContext,
  DestroyReason,
  Handle,
  ResourceFactory,
  Verdict,
} from '../../src/engine/index.js';

/** The resource of most tests. */
export interface Thing {
  readonly id: number;
}

/** One call of a scripted member, as the factory saw it. */
export class Call<R, G = unknown> {
  outcome: 'open' | 'ok' | 'failed' = 'open';
  /** Settles a `slow` call well; by default with what an `ok` one gives. */
  settle: (value?: R) => void = () => undefined;
  /** Settles a `slow` call badly. */
  fail: (error: unknown) => void = () => undefined;

  constructor(
    /** What the member was called with. */
    readonly given: G,
    /** When, on the pool's clock. */
    readonly at: number,
    /** What it gives when all is well. */
    readonly plain: () => R,
  ) {}
}

/** What a member does when it is called. */
export type Behaviour<R> = (call: Call<R>) => R | PromiseLike<R>;

export const ok = <R>(call: Call<R>): Promise<R> => Promise.resolve(call.plain());
export const sync = <R>(call: Call<R>): R => call.plain();
export const gives =
  <R>(value: R): Behaviour<R> =>
  () =>
    Promise.resolve(value);
export const rejects = (error: Error) => (): Promise<never> => Promise.reject(error);
export const throws = (error: Error) => (): never => {
  throw error;
};
/** Settled by the test: `call.settle()`, `call.fail(error)`; or well, when the test is over. */
export const slow = <R>(call: Call<R>): Promise<R> =>
  new Promise((resolve, reject) => {
    call.settle = value => {
      resolve(value === undefined ? call.plain() : value);
    };
    call.fail = reject;
  });
/** Not even settled when the test is over. */
export const never = (): Promise<never> => new Promise(() => undefined);

/** No test calls a member as often, unless the pool has gone mad. */
const BUSY = 2_000;

/** What one member does, call by call. */
export class Script<R, G> {
  readonly calls: Call<R, G>[] = [];
  private readonly queue: Behaviour<R>[] = [];

  constructor(private usual: Behaviour<R>) {}

  /** The next calls do this, one each. */
  next(...behaviours: Behaviour<R>[]): void {
    this.queue.push(...behaviours);
  }

  /** All other calls do this from now on. */
  always(behaviour: Behaviour<R>): void {
    this.usual = behaviour;
    this.queue.length = 0;
  }

  get last(): Call<R, G> {
    return this.calls.at(-1)!;
  }

  /** The calls that have not settled yet. */
  get open(): Call<R, G>[] {
    return this.calls.filter(call => call.outcome === 'open');
  }

  /** Does what the script says, and tells `settled` before the pool can know. */
  run(call: Call<R, G>, settled: (call: Call<R, G>, value: R) => void): R | PromiseLike<R> {
    const well = (value: R): R => {
      call.outcome = 'ok';
      settled(call, value);
      return value;
    };
    const badly = (error: unknown): never => {
      call.outcome = 'failed';
      settled(call, undefined as R);
      throw error;
    };
    this.calls.push(call);
    let result: R | PromiseLike<R>;
    try {
      // A busy loop would hang the tests for good, not fail them.
      const behaviour = this.calls.length > BUSY ? never : (this.queue.shift() ?? this.usual);
      result = behaviour(call);
    } catch (error) {
      return badly(error);
    }
    // Not the promise itself: a rejection that the pool forgets to handle has to show.
    return isThenable(result) ? result.then(well, badly) : well(result);
  }
}

function isThenable<R>(value: R | PromiseLike<R>): value is PromiseLike<R> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** One resource that a create has made. */
interface Creation {
  readonly value: unknown;
  state: 'live' | 'destroying' | 'destroyed' | 'detached';
  /** How long its create took. */
  readonly tookMs: number;
  /** When its destroy began. */
  endsSince?: number;
}

/** Is it still the pool's concern? */
function exists({ state }: Pick<Creation, 'state'>): boolean {
  return state !== 'destroyed' && state !== 'detached';
}

export interface Scripts<T> {
  create?: Behaviour<T> | undefined;
  /** Only a member that is mentioned exists. */
  validate?: Behaviour<Verdict> | undefined;
  reset?: Behaviour<Verdict> | undefined;
  destroy?: Behaviour<unknown> | undefined;
  handle?: ((resource: T) => Handle<T>) | undefined;
  isFatal?: ((error: unknown, resource: T) => boolean) | undefined;
  isRetryable?: ((error: unknown) => boolean) | undefined;
}

/**
 * A factory that does what the test says, and keeps its own books: what exists outside, what is lent. Whatever the
 * pool does wrong as seen from out there becomes a violation.
 */
export class ScriptedFactory<T = Thing> {
  readonly creates: Script<T, CreateContext>;
  readonly validates: Script<Verdict, T>;
  readonly resets: Script<Verdict, T>;
  readonly destroys: Script<unknown, { resource: T; reason: DestroyReason }>;
  /** What the pool is given. */
  readonly members: ResourceFactory<T>;
  readonly violations: string[] = [];
  readonly creations: Creation[] = [];
  /** The most that ever existed at once, creates that are running included. */
  peak = 0;
  /** Called when a create begins. */
  onCreate: () => void = () => undefined;
  private readonly lent = new Map<unknown, number>();
  private nextId = 1;

  constructor(
    private readonly clock: Clock,
    scripts: Scripts<T> = {},
  ) {
    this.creates = new Script<T, CreateContext>(scripts.create ?? ok);
    this.validates = new Script<Verdict, T>(scripts.validate ?? ok);
    this.resets = new Script<Verdict, T>(scripts.reset ?? ok);
    this.destroys = new Script<unknown, { resource: T; reason: DestroyReason }>(scripts.destroy ?? ok);
    this.members = {
      create: context => this.create(context),
      destroy: (resource, reason) => this.destroy(resource, reason),
      ...(scripts.validate && { validate: resource => this.check('validate', this.validates, resource) }),
      ...(scripts.reset && { reset: resource => this.check('reset', this.resets, resource) }),
      ...(scripts.handle && { handle: scripts.handle }),
      ...(scripts.isFatal && { isFatal: scripts.isFatal }),
      ...(scripts.isRetryable && { isRetryable: scripts.isRetryable }),
    };
  }

  /** What exists out there: created and not destroyed to the end, or being created. */
  get outside(): number {
    return this.creates.open.length + this.creations.filter(exists).length;
  }

  /** How many of those that were created have come to this. */
  count(state: Creation['state']): number {
    return this.creations.filter(one => one.state === state).length;
  }

  /** How much of that a pool with these limits may have given up. */
  givenUp(createTimeout: number, destroyTimeout: number): number {
    const now = this.clock.now();
    return (
      this.creates.open.filter(call => now - call.at >= createTimeout).length +
      this.creations.filter(
        ({ state, tookMs, endsSince = now }) =>
          exists({ state }) && (tookMs >= createTimeout || now - endsSince >= destroyTimeout),
      ).length
    );
  }

  /** The reasons for which resources were destroyed, in order. */
  get reasons(): DestroyReason[] {
    return this.destroys.calls.map(call => call.given.reason);
  }

  /** Somebody holds it from now on. */
  borrowed(value: unknown): void {
    const holders = (this.lent.get(value) ?? 0) + 1;
    this.lent.set(value, holders);
    if (holders > this.existing(value))
      this.violations.push(`${inspect(value)} is lent to ${holders} at once`);
  }

  returned(value: unknown): void {
    this.lent.set(value, (this.lent.get(value) ?? 0) - 1);
  }

  /** Its borrower keeps it: the pool has nothing to do with it any more. */
  detached(value: unknown): void {
    const creation = this.creations.find(one => Object.is(one.value, value) && one.state === 'live');
    if (creation) creation.state = 'detached';
    else this.violations.push(`${inspect(value)} is detached, but does not exist`);
  }

  /** How many leases are held. */
  get borrows(): number {
    return [...this.lent.values()].reduce((sum, holders) => sum + holders, 0);
  }

  /** Settles everything that is slow, and does everything well from now on. */
  finish(): void {
    for (const script of [this.creates, this.validates, this.resets, this.destroys]) {
      script.always(ok);
      for (const call of script.open) call.settle();
    }
  }

  private create(context: CreateContext): T | PromiseLike<T> {
    const call = new Call<T, CreateContext>(
      context,
      this.clock.now(),
      () => ({ id: this.nextId++ }) as unknown as T,
    );
    const result = this.creates.run(call, (settled, value) => {
      if (settled.outcome !== 'ok') return;
      this.creations.push({ value, state: 'live', tookMs: this.clock.now() - settled.at });
    });
    if (this.creates.calls.length === BUSY) this.violations.push('create is called in a busy loop');
    this.peak = Math.max(this.peak, this.outside);
    this.onCreate();
    return result;
  }

  private check(
    name: 'validate' | 'reset',
    script: Script<Verdict, T>,
    resource: T,
  ): Verdict | PromiseLike<Verdict> {
    this.mustBeFree(name, resource);
    return script.run(new Call<Verdict, T>(resource, this.clock.now(), () => undefined), () => undefined);
  }

  private destroy(resource: T, reason: DestroyReason): unknown {
    // Closing takes resources from their holders; nothing else does.
    if (reason !== 'closed') this.mustBeFree(`destroy (${reason})`, resource);
    const creation = this.creations.find(one => Object.is(one.value, resource) && one.state === 'live');
    if (creation) Object.assign(creation, { state: 'destroying', endsSince: this.clock.now() });
    else this.violations.push(`${inspect(resource)} is destroyed twice, or was never created`);
    const call = new Call({ resource, reason }, this.clock.now(), (): unknown => undefined);
    return this.destroys.run(call, () => {
      if (creation) creation.state = 'destroyed';
    });
  }

  private mustBeFree(what: string, value: T): void {
    if ((this.lent.get(value) ?? 0) >= this.existing(value)) {
      this.violations.push(`${what} of ${inspect(value)}, which is lent or does not exist`);
    }
  }

  private existing(value: unknown): number {
    return this.creations.filter(one => Object.is(one.value, value) && one.state === 'live').length;
  }
}
