import type { BorrowOutcome, SessionHooks } from '../../../src/engine/index.js';
import type { Answers } from './answers.js';
import type { Hook } from './commands.js';
import type { Facts } from './facts.js';
import type { Item, Resource } from './resource.js';

/** What the hooks of one pool do, and what is known whenever they are called. */
export function modelHooks(
  facts: Facts,
  answers: Answers,
  at: (slot: number) => Resource,
  enter: (from: Hook) => void,
): SessionHooks<Item> {
  const hooks: Required<SessionHooks<Item>> = {
    onCreate: ({ slot }, context) => {
      const resource = at(slot);
      facts.tell(`onCreate #${slot} begins`);
      if (context.slot !== slot) facts.violated(`onCreate of #${slot} is told of #${context.slot}`);
      if (resource.state === 'founding' && !resource.founded) resource.founded = true;
      else if (!resource.renewed || resource.running?.stage !== 'reset') {
        facts.violated(`onCreate of #${slot} once more, although nothing has undone it`);
      }
      const { running } = resource;
      const again = running !== undefined;
      if (running) running.stage = 'onCreate';
      enter('onCreate');
      const end = (unfit?: string): void => {
        if (again) {
          if (resource.running !== running) return;
          resource.running = undefined;
          resource.renewed = false;
        } else if (!resource.arrives(facts)) return;
        if (unfit) resource.unfit ??= unfit;
      };
      return answers.give(
        'onCreate',
        slot,
        () => {
          end();
          // Of no account.
          return false;
        },
        () => end('its onCreate failed'),
      );
    },
    onBorrow: ({ slot }, context) => {
      const resource = at(slot);
      const { owner, signal } = context;
      facts.tell(`onBorrow #${slot} begins`);
      if (context.slot !== slot) facts.violated(`onBorrow of #${slot} is told of #${context.slot}`);
      const why = resource.mustNotBeLent(facts);
      if (why) facts.violated(`onBorrow of #${slot} although ${why}`);
      if (![...facts.waiting].some(one => one.owner === owner))
        facts.violated(`onBorrow of #${slot} is for nobody who waits`);
      const running: Resource['running'] = { what: 'prepare', since: facts.now };
      resource.running = running;
      resource.prepared = false;
      // Unless it is lent: then its borrower gives it back.
      resource.due = { outcome: () => (signal.aborted ? 'aborted' : 'error'), owner };
      resource.dirty = facts.has.reset;
      signal.addEventListener('abort', () => (running.goneAt = facts.now));
      enter('onBorrow');
      const end = (): boolean => {
        if (resource.running !== running || resource.state !== 'live') return false;
        resource.running = undefined;
        resource.provenAt = facts.now;
        return true;
      };
      return answers.give(
        'onBorrow',
        slot,
        () => {
          resource.prepared = end();
          return false;
        },
        trouble => {
          if (end() && !signal.aborted) facts.failedBorrows.set(trouble, signal);
        },
      );
    },
    onReturn: ({ slot }, outcome, { owner, slot: told }) => {
      const resource = at(slot);
      const { due } = resource;
      facts.tell(`onReturn #${slot} begins (${outcome})`);
      if (told !== slot) facts.violated(`onReturn of #${slot} is told of #${told}`);
      if (!resource.free) facts.violated(`onReturn of #${slot}, which is not free`);
      const expected: BorrowOutcome | undefined = due?.outcome();
      if (!due) facts.violated(`onReturn of #${slot}, which nobody has given back`);
      else if (outcome !== expected) facts.violated(`onReturn of #${slot}: ${outcome}, it is ${expected}`);
      else if (due.owner !== owner) facts.violated(`onReturn of #${slot} is told another owner`);
      resource.due = undefined;
      const running: Resource['running'] = { what: 'reset', since: facts.now, stage: 'onReturn' };
      resource.running = running;
      enter('onReturn');
      const end = (unfit?: string): void => {
        if (resource.running !== running) return;
        running.stage = 'returned';
        // Otherwise its reset is next.
        if (unfit || !facts.has.reset) resource.running = undefined;
        if (unfit) resource.unfit ??= unfit;
        resource.provenAt = facts.now;
      };
      return answers.give(
        'onReturn',
        slot,
        () => {
          end();
          return false;
        },
        () => end('its onReturn failed'),
      );
    },
  };
  return Object.fromEntries(Object.entries(hooks).filter(([name]) => facts.has[name as Hook]));
}
