import { describe, expect, it } from '@jest/globals';
import { Get } from '@nestjs/common';
import { BorrowScope, inScope } from '../../src/scope/index.js';
import { wrapHandlers } from '../../src/transports/index.js';
import { Pool } from '../../src/index.js';

type Callback = (value: unknown) => unknown;

/** As a lazy query builder may be one, of those that do not keep to what promises do. */
const sloppy = (then: (resolve: Callback, reject: Callback) => unknown): unknown => ({ then });

class Sloppy {
  result: unknown;

  @Get()
  find(): unknown {
    return this.result;
  }
}
wrapHandlers(Sloppy);

describe('a handler whose thenable', () => {
  const host = { stopping: new AbortController().signal };

  it.each([
    [
      'calls back twice',
      (resolve: Callback) => {
        resolve(1);
        resolve(2);
      },
    ],
    [
      'calls back with a value and then with an error',
      (resolve: Callback, reject: Callback) => {
        resolve(1);
        try {
          reject(new Error('late'));
        } catch {
          // What becomes of it is nothing to the scope.
        }
      },
    ],
  ])('%s drops its own hold only', async (_, then) => {
    const pool = new Pool({ name: 'items', create: () => ({}) });
    const scope = new BorrowScope(host);
    const stillStreaming = scope.hold();
    await scope.borrow(pool);
    const controller = new Sloppy();
    controller.result = sloppy(then);
    await inScope(scope, () => controller.find());
    expect(scope.ended).toBe(false);
    expect(pool.stats().leased).toBe(1);
    stillStreaming();
    expect(scope.ended).toBe(true);
    expect(pool.stats().leased).toBe(0);
    await pool.close();
  });
});
