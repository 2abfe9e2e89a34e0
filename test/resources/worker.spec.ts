import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Pool, PoolOptionsError } from '../../src/engine/index.js';
import { workerPool } from '../../src/resources/worker.js';
import { fixture } from '../support/crunch.js';
import { crunchPool, rejection, type CrunchWorker } from '../support/crunch-pool.js';

let pool: Pool<CrunchWorker>;

beforeAll(() => {
  pool = crunchPool({ workerData: { model: 'small' }, env: { REGION: 'north' } });
});
afterAll(() => pool.close({ timeout: 0 }));

describe('a call', () => {
  it('answers with what its task returns, now or later', async () => {
    await pool.use(async worker => {
      expect(await worker.call('add', { a: 1, b: 2 })).toBe(3);
      expect(await worker.call('later', { a: 3, b: 4 })).toBe(7);
    });
  });

  it('carries all that can be cloned', async () => {
    const value = { when: new Date(0), of: new Map([[1, new Set(['a'])]]), big: 2n, nothing: undefined };
    expect(await pool.use(worker => worker.call('echo', value))).toEqual(value);
    expect(await pool.use(worker => worker.call('echo', undefined))).toBeUndefined();
  });

  it('has its own answer when several are under way', async () => {
    const sums = await pool.use(worker =>
      Promise.all(Array.from({ length: 50 }, (_, n) => worker.call(n % 2 ? 'add' : 'later', { a: n, b: n }))),
    );
    expect(sums).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n));
  });

  it('is not answered by what the script posts by itself', async () => {
    const first = await pool.use(worker =>
      Promise.all([worker.call('forge'), worker.call('add', { a: 1, b: 2 })]),
    );
    expect(first).toEqual(['true', 3]);
  });

  it('finds what earlier ones have left warm', async () => {
    const first = await pool.use(worker => worker.call('count'));
    expect(await pool.use(worker => worker.call('count'))).toBe(first + 1);
  });

  it('runs in a thread with the data and environment of the options', async () => {
    await pool.use(async worker => {
      expect(await worker.call('who')).toBe(worker.threadId);
      expect(await worker.call('data')).toEqual({ model: 'small' });
      expect(await worker.call('env', 'REGION')).toBe('north');
      expect(await worker.call('env', 'PATH')).toBeUndefined();
    });
  });
});

describe('an error of a task', () => {
  it('comes back with its name, message, stack, code and cause', async () => {
    const error = (await rejection(
      pool.use(worker => worker.call('fail', { message: 'no stock' })),
    )) as Error & {
      code?: unknown;
    };
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'OrderError', message: 'no stock', code: 'ORDER' });
    expect(error.stack).toContain('crunch.mjs');
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.cause).toMatchObject({ name: 'TypeError', message: 'deep' });
  });

  it('leaves the worker usable', async () => {
    await pool.use(async worker => {
      const before = worker.threadId;
      await rejection(worker.call('fail', { message: 'once' }));
      expect(await worker.call('who')).toBe(before);
    });
    const { destroyed } = pool.stats().totals;
    expect(destroyed).toBe(0);
  });

  it('may be any value', async () => {
    expect(await rejection(pool.use(worker => worker.call('failLater', ['plain'])))).toEqual(['plain']);
  });

  it('says so when it is a value that cannot be cloned', async () => {
    const error = await rejection(pool.use(worker => worker.call('failOddly')));
    expect((error as Error).message).toBe('What was thrown cannot be cloned: function');
  });

  it('may be its own cause', async () => {
    let error = (await rejection(pool.use(worker => worker.call('failInCircles')))) as Error | undefined;
    let causes = 0;
    for (; error; error = error.cause as Error | undefined) causes++;
    expect(causes).toBe(6);
  });

  it('costs the worker when isFatal says so', async () => {
    const strict = crunchPool({ isFatal: error => (error as { code?: unknown }).code === 'ORDER' });
    await rejection(strict.use(worker => worker.call('failLater', 'plain')));
    expect(strict.stats().totals.destroyedBy).toEqual({});
    const lease = await strict.acquire();
    lease.release(await rejection(lease.resource.call('fail', { message: 'x' })));
    await lease.finished;
    expect(strict.stats().totals.destroyedBy).toEqual({ fatal: 1 });
    await strict.close();
  });

  it('says which tasks there are when there is none of that name', async () => {
    await pool.use(async worker => {
      for (const name of ['multiply', 'toString', '__proto__']) {
        const error = await rejection(worker.call(name as 'count'));
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain(`no task "${name}"; it serves add, later`);
      }
    });
  });
});

describe('what cannot be cloned', () => {
  it('rejects the call when it is the payload, and costs nobody the worker', async () => {
    await pool.use(async worker => {
      const error = await rejection(worker.call('echo', () => 1));
      expect(error).toMatchObject({ name: 'DataCloneError' });
      expect(await worker.call('who')).toBe(worker.threadId);
    });
  });

  it('rejects the call when it is the answer, and costs nobody the worker', async () => {
    await pool.use(async worker => {
      const error = await rejection(worker.call('unclonable'));
      expect(error).toMatchObject({ name: 'DataCloneError' });
      expect(await worker.call('who')).toBe(worker.threadId);
    });
    expect(pool.stats().totals.destroyed).toBe(0);
  });
});

describe('what is transferred', () => {
  it('is moved to the worker, and is empty here afterwards', async () => {
    const bytes = new Uint8Array(1024);
    expect(await pool.use(worker => worker.call('size', bytes, { transfer: [bytes.buffer] }))).toBe(1024);
    expect(bytes.byteLength).toBe(0);
  });

  it('is copied when it is not named', async () => {
    const bytes = new Uint8Array(1024);
    expect(await pool.use(worker => worker.call('size', bytes))).toBe(1024);
    expect(bytes.byteLength).toBe(1024);
  });

  it('is moved from the worker with the answer, and is empty there afterwards', async () => {
    await pool.use(async worker => {
      const { bytes } = await worker.call('give', 512);
      expect(bytes.byteLength).toBe(512);
      expect(bytes[511]).toBe(7);
      expect(await worker.call('left')).toBe(0);
    });
  });
});

describe('the options', () => {
  const script = fixture('crunch.mjs');

  it('may name the script by a URL or its text', async () => {
    const url = pathToFileURL(script);
    for (const one of [url, url.href]) {
      const other = new Pool(workerPool({ script: one, max: 1 }));
      expect(await other.use(worker => worker.call('add', { a: 2, b: 2 }))).toBe(4);
      await other.close();
    }
  });

  it.each([
    [
      'script',
      undefined,
      'is undefined; it must be a URL of a file, or a path that is absolute or begins with',
    ],
    ['script', 'crunch.mjs', 'is a string; it must be a URL of a file'],
    ['script', new URL('https://localhost/crunch.mjs'), 'is an object; it must be a URL of a file'],
    ['startTimeout', 0, 'is 0; it must be milliseconds ≥ 1'],
    ['stopTimeout', -1, 'is -1; it must be milliseconds ≥ 0'],
    ['stopTimeout', NaN, 'is NaN; it must be milliseconds ≥ 0'],
    ['maxHeapMb', 0, 'is 0; it must be megabytes > 0'],
    ['resourceLimits', { maxOldGenerationSizeMb: '5' }, 'is an object; it must be an object of numbers > 0'],
    ['resourceLimits', { maxHeap: 5 }, 'it must be an object of numbers > 0: maxYoungGenerationSizeMb'],
    ['env', 'A=1', 'is a string; it must be an object of strings, or SHARE_ENV'],
    ['execArgv', '--no-warnings', 'is a string; it must be an array of strings'],
    ['isFatal', true, 'is true; it must be a function of an error and a worker'],
  ])('refuse %s %p', (option, value, message) => {
    const make = (): unknown => workerPool({ name: 'crunch', script, [option]: value });
    expect(make).toThrow(PoolOptionsError);
    expect(make).toThrow(`Pool "crunch": option "${option}"`);
    expect(make).toThrow(message);
  });

  it('give a reset the time that tasks have to stop, unless they say how long it may take', () => {
    expect(workerPool({ script }).resetTimeout).toBe(5_000);
    expect(workerPool({ script, stopTimeout: 10_000 }).resetTimeout).toBe(20_000);
    expect(workerPool({ script, stopTimeout: Infinity }).resetTimeout).toBe(Infinity);
    expect(workerPool({ script, stopTimeout: 10_000, resetTimeout: 50 }).resetTimeout).toBe(50);
  });

  it('that nobody knows are refused by the pool', () => {
    expect(() => new Pool(workerPool({ script, ...{ maxThreads: 3 } }))).toThrow(
      'unknown option "maxThreads"',
    );
  });

  it('are not shown by who logs them', () => {
    const made = workerPool({ script, env: { TOKEN: 's3cret' }, workerData: { password: 's3cret' } });
    expect(JSON.stringify(made)).not.toContain('s3cret');
  });
});
