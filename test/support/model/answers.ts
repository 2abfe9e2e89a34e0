import type { Scheduler } from 'fast-check';
import type { Ending, Manner, Member } from './commands.js';
import type { Facts } from './facts.js';
import type { Resource } from './resource.js';

/** What user code fails with; `isFatal` knows the fatal ones. */
export class Trouble extends Error {
  constructor(
    readonly kind: 'fatal' | 'harmless' | Member,
    readonly resource?: Resource,
  ) {
    super(kind);
  }
}

/** How the calls of the factory's members end, and in which order: the scheduler picks the next that may settle. */
export class Answers {
  readonly manners: Record<Member, Manner> = {
    create: 'later',
    validate: 'later',
    reset: 'later',
    destroy: 'later',
    onCreate: 'later',
    onBorrow: 'later',
    onReturn: 'later',
  };
  /** How those end that the scheduler has been asked to settle. */
  private readonly endings: Ending[] = [];

  constructor(
    private readonly facts: Facts,
    private readonly scheduler: Scheduler,
  ) {}

  /** Answers a call in the manner that its member has at present. The books know how it ends before the pool does. */
  give<R>(
    member: Member,
    slot: number,
    well: (how: Ending) => R,
    badly: (trouble: Trouble) => void,
  ): R | Promise<R> {
    const succeed = (how: Ending): R => {
      this.facts.tell(`${member} #${slot} ends ${how}`);
      return well(how);
    };
    const fail = (): never => {
      this.facts.tell(`${member} #${slot} fails`);
      const trouble = new Trouble(member);
      badly(trouble);
      throw trouble;
    };
    switch (this.manners[member]) {
      case 'sync':
        return succeed('well');
      case 'throws':
        return fail();
      case 'promised':
        return Promise.resolve().then(() => succeed('well'));
      case 'rejects':
        return Promise.resolve().then(fail);
      case 'later':
        return this.scheduler.schedule(Promise.resolve(), `${member} #${slot}`).then(() => {
          const how = this.endings.shift() ?? 'well';
          return how === 'badly' ? fail() : succeed(how);
        });
    }
  }

  /** Lets one of the calls that are answered later settle. */
  settle(how: Ending): void {
    // Not one that is yet to come.
    if (this.scheduler.count() <= this.endings.length) return;
    this.endings.push(how);
    void this.scheduler.waitNext(1);
  }

  /** From now on everything goes well. */
  recover(): void {
    for (const member of Object.keys(this.manners) as Member[]) this.manners[member] = 'promised';
  }

  settleAll(): void {
    for (let i = this.scheduler.count(); i > 0; i--) this.settle('well');
  }
}
