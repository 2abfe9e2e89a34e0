import { describe, expect, it } from '@jest/globals';
import { borrowingRig, nextTurn, type BorrowingRig } from '../support/borrowing/rig.js';
import { mountMiddleware, mountRoutes, mountWrappers, workingOn } from '../support/borrowing/working-on.js';
import { Call } from '../support/http-client.js';
import { KeepAliveClient } from '../support/keep-alive-client.js';
import { PLATFORMS, type Platform } from '../support/nest-app.js';

const prepare = (app: Parameters<typeof mountMiddleware>[0]): void => {
  mountMiddleware(app);
  mountRoutes(app);
  mountWrappers(app);
};

/** Mounted on Express, the routes of the application's own everywhere. */
const routes = (platform: Platform, way: string): string[] =>
  platform === 'express' ? [`route-${way}`, `router/${way}`, `application/${way}`] : [`route-${way}`];

/** Any timer that was due at once has fired. */
const timersFired = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 2));

/** Its client leaves when the work has begun, which has written the head before, where it writes one. */
async function leaveAtWork(rig: BorrowingRig, path: string): Promise<void> {
  const call = new Call(rig.url(path));
  await rig.stage.reached('work');
  call.leave();
  await rig.clientsGone();
  await timersFired();
}

describe.each(PLATFORMS)('a resource whose client has left on %s', platform => {
  // What is known to be at work holds: the time that doubts have is nothing to it.
  const rig = borrowingRig(platform, { ...workingOn, prepare, abandonedTimeout: 0 });

  const isHeldUntilWorkIsOver = async (): Promise<void> => {
    expect(rig.leased()).toBe(1);
    const second = rig.pool.acquire();
    await nextTurn();
    expect(rig.waiting()).toBe(1);
    rig.stage.open('work');
    const lease = await second;
    expect(lease.resource.id).toBe(1);
    lease.release();
    expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
  };

  it.each([
    ...['middleware', 'class-middleware', 'scoped-middleware'],
    ...['filter', 'handler', 'scoped/handler', 'scoped/filter'],
    ...routes(platform, 'write'),
  ])('belongs to asynchronous work until that is over (%s)', async path => {
    await leaveAtWork(rig, path);
    await isHeldUntilWorkIsOver();
  });

  it.each(['guard', 'callback-guard', 'scoped/guard'])(
    'belongs to a guard until it has decided (%s)',
    async path => {
      await leaveAtWork(rig, path);
      await isHeldUntilWorkIsOver();
    },
  );

  it.each(['transaction/value', 'transaction/promise', 'scoped/transaction'])(
    'belongs to a transaction around a handler until it has ended (%s)',
    async path => {
      await leaveAtWork(rig, path);
      await isHeldUntilWorkIsOver();
    },
  );

  it('belongs to an exception filter that has answered until it has settled', async () => {
    const answer = await new Call(rig.url('auditing-filter')).answer();
    expect(answer.body).toBe('sorry');
    await rig.stage.reached('work');
    await rig.clientsGone();
    await isHeldUntilWorkIsOver();
  });

  it('belongs to middleware that has gone on, and works on when the answer is out', async () => {
    expect((await new Call(rig.url('audited')).answer()).body).toBe('done');
    await rig.stage.reached('work');
    await rig.clientsGone();
    await isHeldUntilWorkIsOver();
  });

  it('belongs to middleware that has gone on until the response has closed', async () => {
    await leaveAtWork(rig, 'watched/value');
    await isHeldUntilWorkIsOver();
  });

  it('belongs to it also when the turn of its response never comes', async () => {
    const first = rig.nextExchange();
    const client = await KeepAliveClient.connect(rig.port);
    client.send('/unanswered', '/watched/value');
    await rig.stage.reached('work');
    client.lose();
    await rig.clientsGone();
    await isHeldUntilWorkIsOver();
    expect((await first).response.writableEnded).toBe(false);
  });

  it('is destroyed when middleware that has gone on waits for a response that will not finish', async () => {
    await leaveAtWork(rig, 'logged/value');
    expect(rig.leased()).toBe(1);
    rig.stage.open('work');
    const lease = await rig.pool.acquire();
    expect(lease.resource.id).toBe(2);
    lease.release();
  });

  it.each(['middleware-forget', 'forgetting-filter', ...routes(platform, 'forget')])(
    'is destroyed when callbacks may still use it and never end the answer (%s)',
    async path => {
      const call = new Call(rig.url(path));
      await call.firstBytes();
      expect(rig.leased()).toBe(1);
      call.leave();
      const lease = await rig.pool.acquire();
      expect(lease.resource.id).toBe(2);
      lease.release();
      expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
      expect(rig.logged).toContainEqual(expect.stringMatching(/^warn: GET \/.*: the client has left/));
    },
  );

  // When the client leaves, Nest gives up on a handler's Observable, and on what interceptors make of it.
  it.each(['transaction/completed', 'transaction/later', 'transaction/failed', 'transaction/emitted'])(
    'is destroyed when an interceptor may still use it for what an Observable has emitted (%s)',
    async path => {
      await leaveAtWork(rig, path);
      const lease = await rig.pool.acquire();
      expect(lease.resource.id).toBe(2);
      lease.release();
      expect(rig.pool.stats().totals.destroyedBy).toEqual({ caller: 1 });
    },
  );
});

describe.each(PLATFORMS)('a resource whose client has left on %s, and nobody knows of the work', platform => {
  const rig = borrowingRig(platform, { ...workingOn, prepare, abandonedTimeout: Infinity });

  const hooks = platform === 'fastify' ? ['hooked'] : [];

  it.each(['middleware-start', 'callback-filter', ...hooks, ...routes(platform, 'start')])(
    'is kept until the answer is ended (%s)',
    async path => {
      await leaveAtWork(rig, path);
      expect(rig.leased()).toBe(1);
      const second = rig.pool.acquire();
      rig.stage.open('work');
      const lease = await second;
      expect(lease.resource.id).toBe(1);
      lease.release();
      expect(rig.pool.stats().totals).toMatchObject({ released: 2, destroyed: 0 });
    },
  );
});
