import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BorrowScopeEndedError,
  BorrowScopes,
  NoBorrowScopeError,
  UnknownPoolError,
  getBorrowedToken,
  type Borrowed,
  type OpenBorrowScope,
} from '../../../src/index.js';
import { TestScopes } from '../../../src/testing/index.js';
import { nextTurn } from '../../support/borrowing/rig.js';
import { Thing } from '../../support/borrowing/thing.js';
import { failureOf, follow } from '../../support/follow.js';
import { JobBench, type Labour } from '../../support/jobs.js';
import { until } from '../../support/until.js';

describe('a scope that is opened', () => {
  let bench: JobBench;
  let scopes: BorrowScopes;
  let things: Borrowed<Thing>;
  let labour: Labour;
  beforeEach(async () => {
    bench = await JobBench.start({});
    scopes = bench.app.get(BorrowScopes);
    things = bench.app.get<Borrowed<Thing>>(getBorrowedToken('things'));
    ({ labour } = bench);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it('keeps what is borrowed, the same for all that runs in it, until the end of its block', async () => {
    {
      await using scope = scopes.open();
      bench.stage.open('first', 'second', 'nested');
      const thing = await scope.get(things);
      expect(await scope.get('things')).toBe(thing);
      expect(await scope.run(() => labour.do('first'))).toBe(thing.use());
      expect(await scope.run(() => scopes.run(() => labour.do('nested')))).toBe(thing.id);
      expect(await Promise.all([scope.run(() => labour.do('second')), scope.run(() => thing.id)])).toEqual([
        thing.id,
        thing.id,
      ]);
      expect(bench.leased()).toBe(1);
    }
    expect(bench.leased()).toBe(0);
  });

  it('is given back what was borrowed also when the block fails', async () => {
    const failing = async (): Promise<void> => {
      await using scope = scopes.open();
      await scope.get(things);
      throw new Error('no');
    };
    await failureOf(failing());
    expect(bench.leased()).toBe(0);
    expect(Thing.reported).toEqual([]);
  });

  it('shares nothing with another one, nor with the scope that it is opened in', async () => {
    await scopes.run(async () => {
      const outer = await things.get();
      const scope = scopes.open();
      expect(await scope.get(things)).not.toBe(outer);
      await scope.close();
      expect(bench.leased()).toBe(1);
    });
  });

  it('is nothing to the code around it', async () => {
    await using scope = scopes.open();
    await scope.get(things);
    expect(await failureOf(things.get())).toBeInstanceOf(NoBorrowScopeError);
  });

  it('waits with its end for what runs in it', async () => {
    const scope = scopes.open();
    const running = [scope.run(() => labour.do('one')), scope.run(() => labour.do('two'))];
    await bench.stage.reached('one');
    await bench.stage.reached('two');
    const closing = scope.close();
    const followed = follow(closing);
    bench.stage.open('one');
    await running[0];
    await nextTurn();
    expect([followed.state, bench.leased()]).toEqual(['pending', 1]);
    // What runs may still ask for more.
    bench.stage.open('two');
    await running[1];
    await closing;
    expect(bench.leased()).toBe(0);
  });

  it('waits for what is held in it by other means', async () => {
    const scope = scopes.open();
    const drop = await scope.run(async () => {
      await things.get();
      return scopes.hold();
    });
    const followed = follow(scope.close());
    await nextTurn();
    expect([followed.state, bench.leased()]).toEqual(['pending', 1]);
    drop();
    await nextTurn();
    expect([followed.state, bench.leased()]).toEqual(['fulfilled', 0]);
  });

  it.each(['something', 'nothing'])(
    'lends and runs nothing when it was closed, having borrowed %s',
    async what => {
      const scope = scopes.open();
      if (what === 'something') await scope.get(things);
      await Promise.all([scope.close(), scope.close()]);
      await scope.close();
      let ran = false;
      const run = scope.run(() => {
        ran = true;
      });
      expect(await failureOf(run)).toBeInstanceOf(BorrowScopeEndedError);
      expect(await failureOf(scope.get(things))).toBeInstanceOf(BorrowScopeEndedError);
      expect(ran).toBe(false);
    },
  );

  it.each(['something', 'nothing'])(
    'has code that runs on after it begin another, having borrowed %s',
    async what => {
      const scope = scopes.open();
      let late!: Promise<unknown>;
      let goOn!: () => void;
      await scope.run(async () => {
        if (what === 'something') await things.get();
        late = new Promise<void>(resolve => {
          goOn = resolve;
        }).then(async () => {
          const error = await failureOf(things.get());
          return [error, await scopes.run(() => things.get())];
        });
      });
      await scope.close();
      goOn();
      const [error, thing] = (await late) as [unknown, Thing];
      expect(error).toBeInstanceOf(BorrowScopeEndedError);
      expect(thing.id).toBe(1);
    },
  );

  it('tells the resources what has failed in it: what ran, and what it was told', async () => {
    const scope = scopes.open();
    await scope.get(things);
    bench.stage.open('fails');
    await failureOf(scope.run(() => labour.do('fails')));
    scope.fail(new Error('later'));
    await scope.close();
    const other = scopes.open();
    await other.get(things);
    other.fail(new Error('told'));
    await other.close();
    expect(Thing.reported).toMatchObject([{ message: 'fails' }, { message: 'told' }]);
  });

  it('has a signal, which is aborted when its pool takes back what it lent', async () => {
    const scope = scopes.open();
    const { signal } = scope;
    await scope.get(things);
    expect(signal.aborted).toBe(false);
    const closing = bench.pool.close({ timeout: 0 });
    expect(signal.aborted).toBe(true);
    await scope.close();
    await closing;
  });

  it('knows pools by name', async () => {
    await using scope = scopes.open();
    expect(await failureOf(scope.get('nowhere'))).toBeInstanceOf(UnknownPoolError);
    await using test = new TestScopes().open();
    expect(await failureOf(test.get('things'))).toBeInstanceOf(TypeError);
  });

  it.each([1, 0])(
    'that nobody closes gives back when it is cleared up, and says so if there was anything (%s)',
    async lent => {
      const watched = await forget(scopes, lent === 1 ? things : undefined, false);
      expect(bench.leased()).toBe(lent);
      await until(
        async () => {
          collect();
          await nextTurn();
          return watched.deref() === undefined && bench.leased();
        },
        n => n === 0,
      );
      await nextTurn();
      expect(bench.log.lines.filter(line => line.includes('never closed'))).toHaveLength(lent);
    },
  );

  it('is not missed where it was closed', async () => {
    const watched = await forget(scopes, things, true);
    await until(
      async () => {
        collect();
        await nextTurn();
        return watched.deref() === undefined;
      },
      gone => gone,
    );
    await nextTurn();
    expect(bench.log.lines.filter(line => line.includes('never closed'))).toEqual([]);
  });
});

/** A function of its own, so that nothing on the stack has it any more. */
async function forget(
  scopes: BorrowScopes,
  things: Borrowed<Thing> | undefined,
  closed: boolean,
): Promise<WeakRef<OpenBorrowScope>> {
  const scope = scopes.open();
  if (things) await scope.get(things);
  if (closed) await scope.close();
  return new WeakRef(scope);
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
