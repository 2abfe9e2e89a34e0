import type {
  CreateContext,
  DestroyReason,
  PoolListener,
  ResourceFactory,
  SessionHooks,
} from '../../../src/engine/index.js';
import type { Answers, Trouble } from './answers.js';
import type { Entrance } from './commands.js';
import type { Facts } from './facts.js';
import { modelHooks } from './hooks.js';
import { Resource, type Item } from './resource.js';

/** What an inspection answers; only a reset says `renewed`. */
type Verdict = undefined | false | 'renewed';

/**
 * The world that the pool's callbacks touch. Every call is written down as it happens, and checked at once against
 * what is known.
 */
export class Outside {
  /** What user code does when it is next called, before its own work. */
  readonly entrances = new Map<Entrance, () => void>();
  readonly factory: ResourceFactory<Item>;
  readonly hooks: SessionHooks<Item>;
  readonly listener: PoolListener;
  constructor(
    private readonly facts: Facts,
    private readonly answers: Answers,
  ) {
    this.factory = {
      create: context => this.create(context),
      destroy: (item, reason) => this.destroy(this.at(item.slot), reason),
      isFatal: error => {
        this.enter('isFatal');
        const { kind, resource } = error as Trouble;
        if (kind !== 'fatal') return false;
        // One that is older than the last recycle says nothing about what has been made since.
        if (facts.settings.recycleOnFatal && !resource?.old) facts.recycle(0);
        return true;
      },
      ...(facts.has.validate && {
        validate: ({ slot }: Item) => this.inspect('validate', this.at(slot)) as Promise<false | undefined>,
      }),
      ...(facts.has.reset && { reset: ({ slot }: Item) => this.inspect('reset', this.at(slot)) }),
    };
    this.hooks = modelHooks(
      facts,
      answers,
      slot => this.at(slot),
      from => this.enter(from),
    );
    this.listener = {
      onAcquire: ({ slot }) => {
        this.lent(this.at(slot));
        this.enter('onAcquire');
      },
      onRelease: ({ slot }) => {
        this.cameBack(this.at(slot));
        this.enter('onRelease');
      },
      onCreate: ({ slot, tookMs }) => {
        facts.seeLate();
        this.at(slot).known = true;
        facts.measuredAt = Math.min(facts.measuredAt, facts.now);
        facts.longestCreate = Math.max(facts.longestCreate, tookMs);
        // One that is of no use proves nothing.
        if (!this.at(slot).unfit) {
          facts.failing = undefined;
          facts.late.clear();
          facts.pausedUntil = 0;
          if (++facts.wentWell >= facts.limits.max) facts.recovering = false;
        }
      },
      onCreateFailed: ({ slot, at, attempt, retryInMs }) => {
        this.at(slot).known = true;
        facts.tell(`create #${slot} counts as failed, again in ${retryInMs} ms`);
        facts.failedLately = true;
        // A straggler of an earlier attempt changes nothing.
        if (attempt === (facts.failing?.attempt ?? 0)) return;
        const { max = 0 } = facts.settings.createBackoff;
        if (retryInMs <= 0 || retryInMs > max) facts.violated(`a back-off of ${retryInMs} ms`);
        facts.recover();
        facts.failing = { attempt, order: facts.next(), retryAt: at + retryInMs };
      },
      onAbandon: ({ slot }) => this.givenUp(this.at(slot)),
      onDestroy: () => this.enter('onDestroy'),
    };
  }

  /** The resource with this number. */
  at(slot: number): Resource {
    return this.facts.resources[slot - 1]!;
  }

  private create(context: CreateContext): Item | Promise<Item> {
    const { facts } = this;
    const slot = facts.resources.length + 1;
    const resource = new Resource(slot, context, facts.next(), facts.now);
    facts.resources.push(resource);
    facts.tell(`create #${slot} begins`);
    this.checkCap();
    this.checkAttempt();
    if (facts.suspended) facts.violated(`create #${slot} begins while suspended`);
    if (facts.closing?.done) facts.violated(`create #${slot} begins in a closed pool`);
    this.enter('create');
    return this.answers.give(
      'create',
      slot,
      () => {
        if (facts.has.onCreate) resource.state = 'founding';
        else resource.arrives(facts);
        return resource.item;
      },
      () => {
        resource.state = 'failed';
      },
    );
  }

  private checkCap(): void {
    const { facts } = this;
    const { max, overflow } = facts.limits;
    const { places } = facts;
    if (places > max + overflow)
      facts.violated(`${places} places are filled, the limit is ${max} + ${overflow}`);
    // Those who were served may not have seen it yet.
    const served = [...facts.lendings].filter(one => !one.lease).length;
    if (places > max && facts.waiting.size <= served)
      facts.violated('overflow is made, and nobody waits for it');
    const creating = facts.count(one => one.beingCreated && !one.mayBeLate(facts));
    if (creating > facts.settings.createConcurrency) facts.violated(`${creating} creates run at once`);
  }

  /** One attempt at a time after a failure, and not before the back-off is over. */
  private checkAttempt(): void {
    const { facts } = this;
    const { failing, now } = facts;
    if (!failing) return;
    if (now < failing.retryAt) facts.violated(`a create begins ${failing.retryAt - now} ms too early`);
    const probes = facts.count(one => one.beingCreated && one.order > failing.order && !one.mayBeLate(facts));
    if (probes > 1) facts.violated(`${probes} probes run at once`);
  }

  private inspect(what: 'validate' | 'reset', resource: Resource): Verdict | Promise<Verdict> {
    const { facts } = this;
    const { slot } = resource;
    const returned = what === 'reset' && facts.has.onReturn ? resource.running : undefined;
    facts.tell(`${what} #${slot} begins`);
    if (returned ? returned.stage !== 'returned' : !resource.free)
      facts.violated(`${what} of #${slot}, which is not free`);
    if (what === 'reset' && resource.due && facts.has.onReturn)
      facts.violated(`reset of #${slot} before its onReturn`);
    resource.due = undefined;
    if (what === 'validate' && facts.suspended) facts.violated(`validate of #${slot} while suspended`);
    const running: Resource['running'] = { what, since: returned?.since ?? facts.now, stage: 'reset' };
    resource.running = running;
    this.enter(what);
    const end = (unfit?: string): void => {
      if (resource.running === running) resource.running = undefined;
      if (unfit) resource.unfit ??= unfit;
    };
    return this.answers.give(
      what,
      slot,
      how => {
        const current = resource.running === running;
        end(how === 'refused' ? `its ${what} refused it` : undefined);
        if (how === 'refused') return false;
        // As often as not, what onCreate has done is undone by it.
        const renewed = what === 'reset' && facts.has.onCreate && resource.uses % 2 === 0;
        if (renewed && current) {
          resource.renewed = true;
          resource.running = running;
        }
        resource.provenAt = facts.now;
        resource.dirty = false;
        return renewed ? 'renewed' : undefined;
      },
      () => end(`its ${what} failed`),
    );
  }

  private destroy(resource: Resource, reason: DestroyReason): unknown {
    const { facts } = this;
    facts.tell(`destroy #${resource.slot} begins (${reason})`);
    // Nobody waits for the onCreate of one that is not wanted any more.
    if (resource.state === 'founding' && resource.context.signal.aborted) resource.arrives(facts);
    const { running, slot, state, lending } = resource;
    if (state !== 'live') facts.violated(`destroy of #${slot}, which is ${state}`);
    if (lending) facts.violated(`destroy of #${slot} (${reason}), which somebody holds`);
    const limit = facts.settings[running?.what === 'validate' ? 'validateTimeout' : 'resetTimeout'];
    const since = running?.what === 'prepare' ? (running.goneAt ?? Infinity) : running?.since;
    if (running && !(facts.now - since! >= limit) && !facts.forced) {
      facts.violated(`destroy of #${slot} before its ${running.what} has ended`);
    }
    resource.state = 'ending';
    resource.since = facts.now;
    resource.unfit ??= 'it was destroyed';
    this.enter('destroy');
    const end = (): void => {
      resource.state = 'ended';
      facts.seen.destroyed++;
    };
    return this.answers.give('destroy', slot, end, end);
  }

  private lent(resource: Resource): void {
    const { facts } = this;
    facts.tell(`#${resource.slot} is lent`);
    const why = facts.has.onBorrow ? resource.mustNotArrive() : resource.mustNotBeLent(facts);
    if (why) facts.violated(`#${resource.slot} is lent although ${why}`);
    resource.prepared = resource.dirty = false;
    resource.due = undefined;
    resource.lending = { resource, order: facts.next(), since: facts.now };
    resource.uses++;
    facts.lendings.add(resource.lending);
    facts.seen.acquired++;
  }

  /** Its borrower has said so before, unless the pool has taken it away. */
  private cameBack(resource: Resource): void {
    const { facts } = this;
    const { lending, slot } = resource;
    if (!lending) return;
    facts.tell(`#${slot} is taken away`);
    const { maxHold, maxHoldAction } = facts.settings;
    const overheld = maxHoldAction === 'destroy' && facts.now - lending.since >= maxHold;
    if (!facts.forced && !overheld) facts.violated(`#${slot} is taken from its holder`);
    resource.unfit ??= 'it was taken from its holder';
    resource.lending = undefined;
    facts.lendings.delete(lending);
    facts.seen.released++;
    if (!lending.lease) return;
    facts.ended.push(lending.lease);
    facts.taken.push(lending.lease);
    lending.done?.();
  }

  private givenUp(resource: Resource): void {
    const { facts } = this;
    const { slot, state, known } = resource;
    facts.tell(`#${slot} is given up`);
    const destroying = state === 'ending';
    if (!destroying && known) facts.violated(`#${slot} is given up, it is ${state}`);
    const taken = facts.now - resource.since;
    const limit = facts.settings[destroying ? 'destroyTimeout' : 'createTimeout'];
    if (taken < limit && (destroying || !facts.forced))
      facts.violated(`#${slot} is given up after ${taken} ms`);
    resource.givenUp = true;
  }

  private enter(from: Entrance): void {
    const entrance = this.entrances.get(from);
    if (!entrance) return;
    this.entrances.delete(from);
    this.facts.atRest = false;
    entrance();
  }
}
