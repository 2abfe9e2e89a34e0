import { describe, expect, it } from '@jest/globals';
import { Alarm } from '../../src/engine/time/alarm.js';
import { systemClock } from '../../src/engine/time/clock.js';
import { Deadline, Deadlines } from '../../src/engine/time/deadlines.js';
import { blockTheLoop } from '../support/block-the-loop.js';
import { ManualClock } from '../support/manual-clock.js';
import { randomFrom } from '../support/random.js';

/** What the naive model knows of one deadline. */
interface Model {
  readonly deadline: Deadline;
  setAt: number;
  delay: number;
  set: boolean;
}

const slack = (delay: number): number => Math.max(10, delay * 0.02);

describe('deadlines', () => {
  it.each([1, 2, 3, 4, 5])(
    '10,000 random ones, set, moved and cancelled, expire as in a naive model (seed %i)',
    async seed => {
      const random = randomFrom(seed);
      const clock = new ManualClock();
      const deadlines = new Deadlines(new Alarm(clock));
      const wrong: string[] = [];
      const models: Model[] = [];
      let expired = 0;
      const set = (model: Model): void => {
        model.setAt = clock.now();
        // From fractions of a millisecond to a day.
        model.delay = random() < 0.05 ? 0 : 86_400_000 ** random() * random();
        model.set = true;
        deadlines.set(model.deadline, model.setAt, model.delay);
      };
      const overdue = (): void => {
        for (const model of models) {
          if (model.set && clock.now() > model.setAt + model.delay + slack(model.delay)) {
            wrong.push(`missed: ${model.delay} ms`);
            model.set = false;
          }
        }
      };
      for (let i = 0; i < 10_000; i++) {
        const model: Model = {
          setAt: 0,
          delay: 0,
          set: false,
          deadline: new Deadline(now => {
            expired++;
            const after = now - model.setAt;
            if (!model.set) wrong.push('expired though cancelled, or twice');
            if (after < model.delay) wrong.push(`early: ${after} of ${model.delay} ms`);
            if (after > model.delay + slack(model.delay)) wrong.push(`late: ${after} of ${model.delay} ms`);
            model.set = false;
            // Some are set again while they expire.
            if (random() < 0.02) set(model);
          }),
        };
        models.push(model);
        set(model);
        const other = models[Math.floor(random() * models.length)]!;
        const dice = random();
        if (dice < 0.3) {
          deadlines.cancel(other.deadline);
          other.set = false;
        } else if (dice < 0.5) {
          set(other);
        }
        if (i % 50 === 0) {
          await clock.advance(random() * 500);
          overdue();
        }
        if (clock.timersLeft > 1) wrong.push('more than one timer');
      }
      const left = models.filter(model => model.set).length;
      const before = expired;
      await clock.advance(86_400_000 * 2);
      overdue();
      expect(wrong).toEqual([]);
      expect(expired - before).toBeGreaterThanOrEqual(left);
      expect(models.filter(model => model.set && model.delay < 86_400_000)).toEqual([]);
      expect(clock.timersLeft).toBe(0);
    },
  );

  it('expire in the order in which they are due', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    const order: number[] = [];
    for (const delay of [500, 100, 300, 200, 400]) {
      deadlines.set(new Deadline(() => order.push(delay)), clock.now(), delay);
    }
    await clock.advance(600);
    expect(order).toEqual([100, 200, 300, 400, 500]);
  });

  it('expire in the order in which they were set when they are due at the same moment', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    const order: number[] = [];
    for (let i = 0; i < 10; i++) deadlines.set(new Deadline(() => order.push(i)), clock.now(), 100);
    await clock.advance(110);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('are missed by no more than the block when the event loop was blocked', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    const order: number[] = [];
    for (const delay of [100, 200, 5_000])
      deadlines.set(new Deadline(() => order.push(delay)), clock.now(), delay);
    clock.block(1_000);
    await clock.advance(0);
    expect(order).toEqual([100, 200]);
    await clock.advance(4_100);
    expect(order).toEqual([100, 200, 5_000]);
  });

  it('are missed by nobody who has begun something and blocked the event loop while the timer was due', async () => {
    const deadlines = new Deadlines(new Alarm(systemClock));
    const order: string[] = [];
    const done = new Promise<void>(resolve => {
      deadlines.set(new Deadline(() => order.push('due')), systemClock.now(), 1);
      setTimeout(() => {
        deadlines.set(
          new Deadline(() => {
            order.push('begun since');
            resolve();
          }),
          systemClock.now(),
          1,
        );
        blockTheLoop(100);
        setImmediate(() => order.push('what has arrived meanwhile'));
      }, 10);
      blockTheLoop(50);
    });
    await done;
    expect(order).toEqual(['due', 'what has arrived meanwhile', 'begun since']);
  });

  it('need few timers: those that are close to each other share one', async () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    let expired = 0;
    for (let i = 0; i < 60_000; i++) {
      deadlines.set(new Deadline(() => expired++), clock.now(), 10_000);
      if (i % 60 === 0) await clock.advance(1);
    }
    await clock.advance(11_000);
    expect(expired).toBe(60_000);
    expect(clock.timersSet).toBeLessThan(50);
  });

  it('that are set again are moved, and those that never come need no timer', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    const deadline = new Deadline(() => undefined);
    deadlines.set(deadline, clock.now(), Infinity);
    expect(clock.timersLeft).toBe(0);
    deadlines.set(deadline, clock.now(), 1_000);
    deadlines.set(deadline, clock.now(), 100);
    expect(clock.nextIn).toBeLessThanOrEqual(110);
    deadlines.cancel(deadline);
    expect(deadlines.wakeAt).toBe(Infinity);
  });
});

describe('deadlines that have stood still', () => {
  /** Ten minutes behind the clock. */
  async function stopped(): Promise<{ clock: ManualClock; deadlines: Deadlines }> {
    const clock = new ManualClock();
    const deadlines = new Deadlines(new Alarm(clock));
    deadlines.stop();
    await clock.advance(600_000);
    return { clock, deadlines };
  }

  it('come in time when they are set after that, and are told their own time', async () => {
    const { clock, deadlines } = await stopped();
    deadlines.go();
    const set = deadlines.now();
    expect(set).toBe(clock.now() - 600_000);
    const told: number[] = [];
    deadlines.set(new Deadline(now => told.push(now - set)), set, 100);
    await clock.advance(110);
    expect(told).toHaveLength(1);
    expect(told[0]).toBeGreaterThanOrEqual(100);
    expect(told[0]).toBeLessThanOrEqual(110);
  });

  it('set no more timers than others: one for all that are later than the first', async () => {
    const { clock, deadlines } = await stopped();
    const set = (delay: number): void => {
      deadlines.set(new Deadline(() => undefined), deadlines.now(), delay);
    };
    set(100);
    expect(clock.timersSet).toBe(0);
    deadlines.go();
    for (let i = 0; i < 100; i++) set(200 + i);
    expect(clock.timersSet).toBe(1);
  });

  it('set none of their own while they stand still, beside those of somebody else', async () => {
    const clock = new ManualClock();
    const alarm = new Alarm(clock);
    const [going, standing] = [new Deadlines(alarm), new Deadlines(alarm)];
    going.set(new Deadline(() => undefined), going.now(), 10_000);
    standing.stop();
    for (let i = 0; i < 100; i++) standing.set(new Deadline(() => undefined), standing.now(), 100);
    await clock.advance(1_000);
    expect(clock.timersSet).toBe(1);
  });

  it('are not disturbed when they are told to go on and do so already', async () => {
    const { clock, deadlines } = await stopped();
    deadlines.go();
    const before = deadlines.now();
    deadlines.go();
    expect(deadlines.now()).toBe(before);
    await clock.advance(5);
    expect(deadlines.now()).toBe(before + 5);
  });
});
