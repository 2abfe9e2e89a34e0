import type { Scheduler } from 'fast-check';
import { Pool } from '../../../src/engine/index.js';
import { ManualClock, turn } from '../manual-clock.js';
import { Answers } from './answers.js';
import type { Command, Moment } from './commands.js';
import { Crowd } from './crowd.js';
import { Facts } from './facts.js';
import { Outside } from './outside.js';
import type { Item } from './resource.js';
import { wrongAtRest } from './rest.js';
import { SETTINGS, type Setup } from './setup.js';

/** One pool, its borrowers and its backend, from its first moment to its last. */
export class World {
  private readonly clock = new ManualClock();
  private readonly facts: Facts;
  private readonly pool: Pool<Item>;
  private readonly answers: Answers;
  private readonly outside: Outside;
  private readonly crowd: Crowd;

  constructor(setup: Setup, scheduler: Scheduler) {
    const { validate = false, reset = false, ...rest } = setup;
    const { onCreate = false, onBorrow = false, onReturn = false, ...given } = rest;
    const has = { validate, reset, onCreate, onBorrow, onReturn };
    this.facts = new Facts(this.clock, { ...SETTINGS, ...given }, has);
    this.answers = new Answers(this.facts, scheduler);
    this.outside = new Outside(this.facts, this.answers);
    const { shed, ...settings } = this.facts.settings;
    this.pool = new Pool<Item>({
      ...settings,
      ...(shed && { shed }),
      clock: this.clock,
      listeners: [this.outside.listener],
      factory: this.outside.factory,
      ...this.outside.hooks,
    });
    this.crowd = new Crowd(this.facts, this.pool, this.outside);
  }

  /**
   * Lives through the moments, and then to a good end: everybody is served, and nothing remains.
   *
   * @returns how many leases were given
   * @throws Error what is wrong, and all that has happened
   */
  async live(moments: readonly Moment[]): Promise<number> {
    for (const moment of moments) {
      for (const command of moment) {
        await this.do(command);
        this.facts.atRest = false;
      }
      await this.rest();
    }
    await this.recover();
    await this.serveAll();
    await this.end();
    return this.pool.stats().totals.acquired;
  }

  private do(command: Command): void | Promise<void> {
    const { crowd, answers, outside, facts, pool } = this;
    switch (command.do) {
      case 'acquire': {
        const { do: _, ...asked } = command;
        crowd.acquire(asked);
        return;
      }
      case 'tryAcquire': {
        crowd.tryAcquire();
        return;
      }
      case 'abort': {
        crowd.abort(command.which);
        return;
      }
      case 'release': {
        crowd.release(command.which, command.error);
        return;
      }
      case 'destroy': {
        crowd.destroy(command.which);
        return;
      }
      case 'detach': {
        crowd.detach(command.which);
        return;
      }
      case 'again': {
        crowd.again(command.which, command.how);
        return;
      }
      case 'invalidate': {
        crowd.invalidate(command.which);
        return;
      }
      case 'settle': {
        answers.settle(command.how);
        return;
      }
      case 'manner':
        answers.manners[command.of] = command.is;
        return;
      case 'reenter':
        outside.entrances.set(command.from, () => void this.do(command.with));
        return;
      case 'pass':
        return this.clock.advance(command.ms);
      case 'resize': {
        const { do: _, ...limits } = command;
        facts.tell(`resize: ${JSON.stringify(limits)}`);
        facts.limits = limits;
        pool.resize(limits);
        return;
      }
      case 'suspend':
        facts.tell('suspend');
        facts.suspend();
        {
          pool.suspend();
          return;
        }
      case 'resume':
        facts.tell('resume');
        facts.resume();
        {
          pool.resume();
          return;
        }
      case 'recycle':
        facts.tell(`recycle within ${command.spread}`);
        facts.recycle(command.spread);
        if (!facts.closing) facts.failing = undefined;
        {
          pool.recycle({ spread: command.spread });
          return;
        }
      case 'start': {
        this.start(command.timeout);
        return;
      }
      case 'close': {
        this.close(command.timeout, command.drain);
        return;
      }
    }
  }

  private start(timeout: number): void {
    const { facts } = this;
    facts.begun ||= !facts.closing;
    facts.starting++;
    const over = (): void => {
      facts.starting--;
    };
    this.pool.start({ timeout }).then(over, over);
  }

  private close(timeout: number, drain: boolean): void {
    const { facts } = this;
    facts.tell(`close within ${timeout}${drain ? ', draining' : ''}`);
    facts.close(timeout, drain);
    void this.pool.close({ timeout, drain }).then(() => {
      facts.closing!.done = true;
    });
  }

  private async rest(): Promise<void> {
    await turn();
    const wrong = wrongAtRest(this.facts, this.crowd, this.pool);
    if (wrong.length > 0) this.fail(...wrong);
    this.facts.atRest = true;
  }

  /** All goes well from now on, and everybody gives back: nobody who waits is forgotten. */
  private async recover(): Promise<void> {
    const { facts, answers, outside } = this;
    facts.tell('all is well from now on');
    outside.entrances.clear();
    answers.recover();
    facts.resume();
    this.pool.resume();
    for (let i = 0; i < 60; i++) {
      answers.settleAll();
      await this.rest();
      this.giveBackAll();
      if (i > 0 && facts.waiting.size === 0 && facts.lendings.size === 0 && !facts.failing) return;
      await this.clock.advance(50);
    }
    for (const { order } of facts.waiting) this.fail(`nobody serves acquire ${order}`);
  }

  /** No place has been lost: `max` can be lent at once. */
  private async serveAll(): Promise<void> {
    const { facts, crowd } = this;
    if (facts.closing) return;
    const { max } = facts.limits;
    for (let i = 0; i < 40 && facts.lendings.size < max; i++) {
      // One after the other: the queue may be short.
      if (facts.waiting.size === 0) crowd.acquire({ timeout: 1_000 });
      await this.rest();
      if (facts.waiting.size > 0 || facts.settings.maxWaiting === 0) await this.clock.advance(50);
    }
    await this.rest();
    if (facts.lendings.size !== max) this.fail(`${facts.lendings.size} can be lent, max is ${max}`);
    this.giveBackAll();
  }

  private async end(): Promise<void> {
    const { facts } = this;
    this.close(0, false);
    for (let i = 0; i < 10 && !facts.closing?.done; i++) await this.clock.advance(50);
    await this.rest();
    for (const { slot, state } of facts.resources) {
      const ended = state === 'ended' || state === 'failed' || state === 'detached';
      if (!ended) this.fail(`#${slot} is ${state} after the end`);
    }
    if (this.clock.timersLeft > 0) this.fail('a timer is left after the end');
  }

  private giveBackAll(): void {
    for (const one of [...this.facts.lendings]) if (one.lease) this.crowd.release(0);
  }

  private fail(...wrong: string[]): never {
    throw new Error(`${wrong.join('\n')}\n\nWhat happened:\n${this.facts.story.join('\n')}`);
  }
}
