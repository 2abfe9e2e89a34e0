import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, expect, it } from '@jest/globals';
import connectPgSimple from 'connect-pg-simple';
import session, { type SessionData, type Store } from 'express-session';
import { overBothPools } from './world.js';

type Answer<T> = (error?: Error | null, value?: T | null) => void;

const PgStore = connectPgSimple(session);

overBothPools('connect-pg-simple', world => {
  let store: Store;

  beforeEach(async () => {
    await world.watch.sql('drop table if exists session');
    const { pool } = world.subject;
    const pgStore = new PgStore({ pool, createTableIfMissing: true, pruneSessionInterval: false });
    store = pgStore;
    world.later(async () => {
      pgStore.close();
    });
  });

  const told = <T>(ask: (answer: Answer<T>) => void): Promise<T | null | undefined> =>
    new Promise((resolve, reject) =>
      ask((error, value) => {
        if (error) reject(error);
        else resolve(value);
      }),
    );
  const data = (views: number, maxAge = 60_000): SessionData =>
    ({ cookie: { maxAge, expires: new Date(Date.now() + maxAge) }, views }) as unknown as SessionData;

  it('sets, gets, touches and destroys sessions', async () => {
    await told(done => store.set('one', data(1), done));
    expect(await told(done => store.get('one', done))).toMatchObject({ views: 1 });
    const expiry = async (): Promise<number> => {
      const [row] = await world.watch.sql<{ expire: Date }>(`select expire from session where sid = 'one'`);
      return row!.expire.getTime();
    };
    const before = await expiry();
    await told(done =>
      store.touch?.('one', data(1, 3_600_000), () => {
        done();
      }),
    );
    expect(await expiry()).toBeGreaterThan(before);
    await told(done => store.destroy('one', done));
    expect(await told(done => store.get('one', done))).toBeUndefined();
  });

  it('keeps what express-session counts, over idle connections that have died', async () => {
    const visit = session({
      store,
      secret: 'of the test',
      resave: false,
      saveUninitialized: false,
    }) as unknown as (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
    const server = createServer((request, response) => {
      visit(request, response, () => {
        const { session } = request as IncomingMessage & { session: { views?: number } };
        session.views = (session.views ?? 0) + 1;
        response.end(String(session.views));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    world.later(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const first = await fetch(url);
    const cookie = first.headers.getSetCookie()[0]!.split(';')[0]!;
    expect(await first.text()).toBe('1');
    await world.untilNobodyWaits();
    await world.killIdle();
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('2');
  });

  it('has at most the connections that there may be, however many ask', async () => {
    await told(done => store.set('0', data(0), done));
    const all = Array.from({ length: 20 }, (_, i) => told(done => store.set(String(i), data(i), done)));
    await world.neverAboveMax(Promise.all(all));
    expect(await told(done => store.get('19', done))).toMatchObject({ views: 19 });
  });
});
