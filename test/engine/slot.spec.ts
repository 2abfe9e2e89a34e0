import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../src/engine/index.js';
import { Census, Slot, type SlotState } from '../../src/engine/slots/slot.js';

const STATES: readonly SlotState[] = [
  'creating',
  'idle',
  'validating',
  'preparing',
  'leased',
  'resetting',
  'closing',
  'abandoned',
  'detached',
  'gone',
];

/** What a slot can be told, and the state it is in then. */
const MOVES: Readonly<Record<string, readonly [(slot: Slot<string>) => void, SlotState]>> = {
  arrive: [slot => slot.arrive('resource'), 'idle'],
  miscarry: [slot => slot.miscarry(), 'gone'],
  lend: [slot => slot.lend({} as Lease<string>), 'leased'],
  validate: [slot => slot.validate(), 'validating'],
  prepare: [slot => slot.prepare(), 'preparing'],
  reset: [slot => slot.reset(), 'resetting'],
  rest: [slot => slot.rest(), 'idle'],
  close: [slot => slot.close(), 'closing'],
  detach: [slot => slot.detach(), 'detached'],
  abandon: [slot => slot.abandon(), 'abandoned'],
  vanish: [slot => slot.vanish(), 'gone'],
};

/** How a new slot comes into each state. */
const WAYS: Readonly<Record<SlotState, readonly string[]>> = {
  creating: [],
  idle: ['arrive'],
  validating: ['arrive', 'validate'],
  preparing: ['arrive', 'prepare'],
  leased: ['arrive', 'lend'],
  resetting: ['arrive', 'lend', 'reset'],
  closing: ['arrive', 'close'],
  abandoned: ['abandon'],
  detached: ['arrive', 'lend', 'detach'],
  gone: ['miscarry'],
};

function slotThatIs(state: SlotState, census = new Census()): Slot<string> {
  const slot = new Slot<string>(7, 1, census, () => undefined);
  for (const move of WAYS[state]) MOVES[move]![0](slot);
  expect(slot.state).toBe(state);
  return slot;
}

/** Into which states a slot can be brought, whatever it is told. */
function reachable(from: SlotState): SlotState[] {
  const reached = new Set<SlotState>();
  for (const [move, to] of Object.values(MOVES)) {
    const census = new Census();
    const slot = slotThatIs(from, census);
    try {
      move(slot);
      expect(slot.state).toBe(to);
      reached.add(to);
    } catch (error) {
      expect((error as Error).message).toBe(
        `nestjs-pool: slot 7 cannot go from ${from} to ${to}; this is a defect of the pool, please report it`,
      );
      // What is refused leaves the books as they were.
      expect([slot.state, census[from], census[to]]).toEqual([from, 1, from === to ? 1 : 0]);
    }
  }
  return STATES.filter(state => reached.has(state));
}

describe('a slot', () => {
  it.each<[SlotState, SlotState[]]>([
    ['creating', ['idle', 'abandoned', 'gone']],
    ['idle', ['validating', 'preparing', 'leased', 'closing']],
    ['validating', ['idle', 'closing']],
    ['preparing', ['idle', 'resetting', 'closing']],
    ['leased', ['idle', 'resetting', 'closing', 'detached']],
    ['resetting', ['idle', 'closing']],
    ['closing', ['abandoned', 'gone']],
    ['abandoned', ['gone']],
    ['detached', []],
    ['gone', []],
  ])('that is %s can only become one of %j; anything else is a defect, and says so', (from, to) => {
    expect(reachable(from)).toEqual(to);
  });

  it('has a resource that may serve while it is idle, validating, preparing, leased or resetting', () => {
    expect(STATES.filter(state => slotThatIs(state).live)).toEqual([
      'idle',
      'validating',
      'preparing',
      'leased',
      'resetting',
    ]);
  });

  it('can be condemned until it ends, and once: the first reason stands', () => {
    const condemned = STATES.map(state => slotThatIs(state)).filter(slot => slot.condemn('invalid', 'first'));
    expect(condemned.map(({ state }) => state)).toEqual([
      'creating',
      'idle',
      'validating',
      'preparing',
      'leased',
      'resetting',
    ]);
    for (const slot of condemned) {
      expect(slot.condemn('recycled', 'second')).toBe(false);
      expect([slot.doom, slot.doomCause]).toEqual(['invalid', 'first']);
    }
    expect(slotThatIs('gone').doom).toBeUndefined();
  });
});
