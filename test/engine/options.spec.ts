import { describe, expect, it } from '@jest/globals';
import {
  KeyedPool,
  Pool,
  PoolOptionsError,
  type PoolOptions,
  type PoolSettings,
} from '../../src/engine/index.js';

const create = (): object => ({});

function errorOf(options: unknown): PoolOptionsError {
  try {
    new Pool(options as PoolOptions<object>);
  } catch (error) {
    if (error instanceof PoolOptionsError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(options)}`);
}

describe('a wrong option is refused at construction, with its name, its value and what is allowed', () => {
  const count = /whole number/;
  const ms = /milliseconds ≥ \d/;
  const wrong: [string, unknown, string, RegExp][] = [
    ['name', '', '""', /non-empty string/],
    ['name', 5, '5', /non-empty string/],
    ['min', -1, '-1', count],
    ['min', 1.5, '1.5', count],
    ['min', NaN, 'NaN', count],
    ['min', Infinity, 'Infinity', count],
    ['min', '2', '"2"', count],
    ['min', 11, '11', /at most max, which is 10/],
    ['max', 0, '0', /≥ 1/],
    ['max', 2.5, '2.5', count],
    ['max', NaN, 'NaN', count],
    ['max', Infinity, 'Infinity', count],
    ['max', null, 'null', count],
    ['order', 'random', '"random"', /'lifo' or 'fifo'/],
    ['acquireTimeout', -1, '-1', ms],
    ['acquireTimeout', NaN, 'NaN', ms],
    ['acquireTimeout', '10s', '"10s"', ms],
    ['maxWaiting', -1, '-1', /or Infinity/],
    ['maxWaiting', 0.5, '0.5', count],
    ['createTimeout', 0, '0', /≥ 1/],
    ['createConcurrency', 0, '0', /≥ 1/],
    ['createBackoff', 100, '100', /initial/],
    ['createBackoff', null, 'null', /initial/],
    ['unavailableAfter', 0, '0', /≥ 1/],
    ['validateAfterIdle', -1, '-1', ms],
    ['validateTimeout', 0, '0', /≥ 1/],
    ['resetTimeout', -5, '-5', ms],
    ['idleTimeout', 0, '0', ms],
    ['maxLifetime', NaN, 'NaN', ms],
    ['lifetimeJitter', 1.5, '1.5', /0 to 1/],
    ['lifetimeJitter', -0.1, '-0.1', /0 to 1/],
    ['maxUses', 0, '0', count],
    ['leakThreshold', 0, '0', ms],
    ['destroyTimeout', true, 'true', ms],
    ['recycleOnFatal', 'yes', '"yes"', /true or false/],
    ['shed', true, 'true', /target\?, interval\?/],
    ['overflow', 0.5, '0.5', count],
    ['keepAlive', 0, '0', ms],
    ['maxHold', 0, '0', ms],
    ['maxHoldAction', 'kill', '"kill"', /'report' or 'destroy'/],
    ['listeners', {}, 'an object', /array/],
    ['listeners', [{}, 'metrics'], 'an array', /PoolListener/],
    ['listeners', [null], 'an array', /PoolListener/],
    ['listeners', [() => undefined], 'an array', /PoolListener/],
    ['clock', {}, 'an object', /Clock/],
    ['clock', { now: create }, 'an object', /Clock/],
    ['clock', { setTimer: create }, 'an object', /Clock/],
    ['clock', null, 'null', /Clock/],
    ['create', 'x', 'a string', /a function/],
    ['create', undefined, 'undefined', /a function/],
    ['validate', true, 'true', /a function/],
    ['reset', {}, 'an object', /a function/],
    ['destroy', 1, '1', /a function/],
    ['isFatal', [], 'an array', /a function/],
    ['isRetryable', 'no', 'a string', /a function/],
    ['target', 'localhost', 'a string', /host\?, port\?/],
    ['target', { host: 'db', port: '5432' }, 'an object', /a number for the port/],
    ['target', { system: null }, 'an object', /texts for the others/],
    ['factory', create, 'a function', /an object with a create function/],
    ['factory', null, 'null', /an object with a create function/],
  ];
  it.each(wrong)('%s: %p', (name, value, shown, allowed) => {
    const options = name === 'factory' ? { factory: value } : { create, [name]: value };
    const { message, code } = errorOf(options);
    expect(code).toBe('POOL_OPTIONS');
    expect(message).toContain(`option "${name}" is ${shown}`);
    expect(message).toMatch(allowed);
  });

  it('does not say what a text says that may have a secret in it', () => {
    const url = 'postgres://app:s3cret@db/orders';
    const told = [
      () => new Pool(url as never),
      () => new Pool({ factory: url } as never),
      () => new Pool({ create: url } as never),
      () => new Pool({ create, min: url } as never),
      () => new Pool({ create, growth: 'password=s3cret' } as never),
      () => new Pool({ create }).tryAcquire({ owner: url as never }),
      () => new KeyedPool({ create, maxTotal: url } as never),
    ].map(wrongly => {
      try {
        wrongly();
        return 'no error';
      } catch (error) {
        return (error as Error).message + JSON.stringify(error);
      }
    });
    for (const message of told) expect(message).toMatch(/option .* is a string; it must be/);
    expect(told.join()).not.toContain('s3cret');
  });

  it.each([
    ['min', -1, 'a whole number ≥ 0'],
    ['maxUses', 0, 'a whole number ≥ 1, or Infinity'],
    ['idleTimeout', 0, 'milliseconds ≥ 1, or Infinity'],
  ])('%s: %p, in one sentence', (name, value, allowed) => {
    expect(errorOf({ create, [name]: value }).message).toBe(
      `Pool "pool": option "${name}" is ${value}; it must be ${allowed}.`,
    );
  });

  it.each([
    ['initial', 0],
    ['max', Infinity],
    ['factor', 0.5],
    ['factor', NaN],
  ])('createBackoff.%s: %p', (name, value) => {
    expect(errorOf({ create, createBackoff: { [name]: value } }).message).toBe(
      `Pool "pool": option "createBackoff.${name}" is ${value}; it must be a finite number ≥ 1.`,
    );
  });

  it('createBackoff that begins beyond its end', () => {
    expect(errorOf({ create, createBackoff: { initial: 20_000 } }).message).toMatch(
      /"createBackoff.initial" is 20000.*at most createBackoff.max, which is 10000/,
    );
  });

  it('unknown members of createBackoff', () => {
    expect(errorOf({ create, createBackoff: { jitter: 1 } }).message).toContain('"createBackoff.jitter"');
  });

  it('unknown options, with the one that was probably meant', () => {
    expect(errorOf({ create, idleTimeoutMillis: 5 }).message).toBe(
      'Pool "pool": unknown option "idleTimeoutMillis"; did you mean "idleTimeout"?',
    );
    expect(errorOf({ create, maxconnections: 5 }).message).toContain('did you mean "max"?');
    expect(errorOf({ create, name: 'orders', poolSize: 5 }).message).toMatch(
      /^Pool "orders": unknown option "poolSize"; known are .*min, minIdle, max,.*clock, factory, create/,
    );
    // An ending is taken off, not anything that looks like one.
    expect(errorOf({ create, sizeMax: 5 }).message).toContain('known are');
    expect(errorOf({ create, toString: create }).message).toContain('unknown option "toString"');
  });

  it('no options at all', () => {
    for (const options of [undefined, null, 'postgres://', 5]) {
      expect(errorOf(options).message).toMatch(/"options".*must be an object with a create function/);
    }
  });

  it('both a factory and members of its own', () => {
    expect(errorOf({ create, factory: { create } }).message).toContain('option "create" is a function');
    expect(errorOf({ destroy: create, factory: { create } }).message).toMatch(/"destroy".*left out/);
  });

  it('a factory object with a wrong member', () => {
    expect(errorOf({ factory: {} }).message).toContain('option "factory.create" is undefined');
    expect(errorOf({ factory: { create, destroy: 5 } }).message).toContain('option "factory.destroy" is 5');
  });
});

describe('options', () => {
  it.each<PoolSettings>([
    { min: 0, max: 1, maxWaiting: 0 },
    { min: 3, max: 3 },
    { createConcurrency: 1, unavailableAfter: 1, maxUses: 1 },
    { createConcurrency: Infinity, unavailableAfter: Infinity, maxUses: Infinity, maxWaiting: Infinity },
    { acquireTimeout: 0, validateAfterIdle: 0 },
    { createTimeout: 1, validateTimeout: 1, resetTimeout: 1, destroyTimeout: 1, idleTimeout: 1 },
    { maxLifetime: 1, leakThreshold: 1 },
    { createTimeout: Infinity, destroyTimeout: Infinity, maxLifetime: Infinity, idleTimeout: Infinity },
    { lifetimeJitter: 0 },
    { lifetimeJitter: 1 },
    { createBackoff: { initial: 1, max: 1, factor: 1 } },
    { listeners: [] },
  ])('are taken up to their limits: %j', settings => {
    expect(new Pool({ create, ...settings }).stats()).toMatchObject({ state: 'ready' });
  });

  it('that are undefined are options that were not given', () => {
    const pool = new Pool({
      create,
      destroy: undefined as never,
      ...({ max: undefined, min: undefined, name: undefined, createBackoff: undefined } as object),
    });
    expect(pool.stats()).toMatchObject({ name: 'pool', min: 0, max: 10 });
    expect(
      () => new Pool({ factory: { create }, destroy: undefined } as object as PoolOptions<object>),
    ).not.toThrow();
  });

  it('may leave parts of createBackoff to the default', () => {
    expect(() => new Pool({ create, createBackoff: { factor: 3 } })).not.toThrow();
  });

  it('may be frozen', () => {
    expect(() => new Pool(Object.freeze({ create, max: 3 }))).not.toThrow();
  });

  it('keep this in the members of a factory object', async () => {
    class Factory {
      private readonly url = 'postgres://';
      create(): { url: string } {
        return { url: this.url };
      }
    }
    const pool = new Pool({ factory: new Factory() });
    expect(await pool.use(resource => resource.url)).toBe('postgres://');
    await pool.close();
  });

  it('keep this in members given among them', async () => {
    const ended: number[] = [];
    const pool = new Pool({
      max: 3,
      create() {
        return { size: this.max ?? 0 };
      },
      destroy(resource) {
        ended.push(resource.size, this.max ?? 0);
      },
    });
    expect(await pool.use(resource => resource.size)).toBe(3);
    await pool.close();
    expect(ended).toEqual([3, 3]);
  });
});
