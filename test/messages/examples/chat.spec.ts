import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import pg from 'pg';
import { lastValueFrom } from 'rxjs';
import type { Socket } from 'socket.io-client';
import type { PoolStats } from '../../../src/index.js';
import { get } from '../../support/http-client.js';
import { launchPostgres } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';
import { ChatProcess, kill, next } from './chat-clients.js';

/** Of the pool of the example. */
const MAX = 5;
const MAX_WAITING = 50;
/** Messages in its archive, in the beginning. */
const ARCHIVED = 10_000;
/** Of these it reads so many at once. */
const BATCH = 100;
/** Nothing of these may get to a client. */
const BACKSTAGE = /chat-db|pool|postgres|127\.0\.0\.1|connection/i;

let postgres: LocalPostgres;
let network: TcpProxy;
let chat: ChatProcess;
let observer: pg.Client;

beforeAll(async () => {
  postgres = await launchPostgres();
  network = await TcpProxy.before(postgres.port);
  const url = new URL(postgres.url);
  url.port = String(network.port);
  chat = await new ChatProcess(url.href).opened('/health/ready\n');
  observer = new pg.Client({ connectionString: postgres.url, options: '-c search_path=nestjs_pool_chat' });
  await observer.connect();
});
afterAll(async () => {
  await observer.end();
  await chat[Symbol.asyncDispose]();
  await network[Symbol.asyncDispose]();
  await postgres.close();
});

const stats = async (): Promise<PoolStats> => JSON.parse((await get(`${chat.url}/pool`)).body) as PoolStats;

/** Nothing is lent, nobody waits, and all connections that there are can be lent. */
const untilAllIsBack = (): Promise<PoolStats> =>
  until(stats, ({ leased, waiting, idle, total }) => leased + waiting === 0 && idle === total);

/** Has everything wait that reads or writes messages, until it is disposed of. */
async function messagesLocked(): Promise<AsyncDisposable> {
  await observer.query('begin; lock table messages in access exclusive mode');
  return {
    [Symbol.asyncDispose]: async () => {
      await observer.query('commit');
    },
  };
}

/** Has all connections be at work. What becomes of that is to be awaited once they can go on. */
async function allBusy(socket: Socket): Promise<{ over: Promise<unknown> }> {
  const said = Array.from({ length: MAX }, () => socket.emitWithAck('say', { room: 'lobby', text: 'busy' }));
  const over = Promise.all(said);
  over.catch(() => undefined);
  await until(stats, ({ leased }) => leased === MAX);
  return { over };
}

describe('the example that chats', () => {
  let ada: Socket;
  let grace: Socket;

  beforeEach(async () => {
    ada = await chat.member('ada', 'lobby', 'archive');
    grace = await chat.member('grace', 'lobby');
  });
  afterEach(() => chat.hangUp());

  it('acknowledges what is said, keeps it, and tells the room, over WebSockets', async () => {
    const heard = next(grace, 'said');
    const line = (await ada.emitWithAck('say', { room: 'lobby', text: 'hello' })) as { id: number };
    expect(line).toEqual({ id: expect.any(Number), author: 'Ada', text: 'hello' });
    expect(await heard).toEqual(line);
    const { rows } = await observer.query('select text from messages where id = $1', [line.id]);
    expect(rows).toEqual([{ text: 'hello' }]);
  });

  it('keeps nothing of what could not be kept as a whole, and tells nobody', async () => {
    const heard: unknown[] = [];
    grace.on('said', line => heard.push(line));
    // Not valid: it is about what is said from now on.
    await observer.query('alter table rooms add constraint silence check (said < 0) not valid');
    ada.emit('say', { room: 'lobby', text: 'half' });
    expect(await next(ada, 'exception')).toMatchObject({ message: 'Internal server error' });
    await observer.query('alter table rooms drop constraint silence');
    const after = next(grace, 'said');
    const line: unknown = await ada.emitWithAck('say', { room: 'lobby', text: 'whole' });
    await after;
    expect(heard).toEqual([line]);
    const { rows } = await observer.query(`select text from messages where text in ('half', 'whole')`);
    expect(rows).toEqual([{ text: 'whole' }]);
  });

  it('refuses a token that is nobody’s, and what is said in a room that was not joined', async () => {
    const stranger = chat.connect('eve');
    const gone = next(stranger, 'disconnect');
    expect(await next(stranger, 'exception')).toEqual({ status: 'error', message: 'Nobody has this token' });
    await gone;
    grace.emit('say', { room: 'archive', text: 'hello' });
    expect(await next(grace, 'exception')).toMatchObject({ message: 'Join the room first' });
    await untilAllIsBack();
  });

  it('streams the history to its end', async () => {
    let count = 0;
    const over = new Promise<void>(resolve => {
      ada.on('history', (line: unknown) => {
        if (line === null) resolve();
        else count++;
      });
    });
    ada.emit('history', 'archive');
    await over;
    expect(count).toBe(ARCHIVED);
    await untilAllIsBack();
  });

  it('gets the connection back of a client that leaves in the middle of the history', async () => {
    const { totals } = await untilAllIsBack();
    let asked = 0;
    network.cutting = () => {
      asked++;
      return undefined;
    };
    const begun = next(ada, 'history').then(() => {
      // From now on the database is not heard: the rest of the history is still to come.
      network.blackhole('old');
    });
    ada.emit('history', 'archive');
    await begun;
    expect((await stats()).leased).toBe(1);
    kill(ada);
    network.restore();
    const after = await untilAllIsBack();
    expect(after.totals.acquired).toBe(totals.acquired + 1);
    // The rest was not read, for nobody.
    expect(asked).toBeLessThan(ARCHIVED / BATCH / 2);
    expect((await get(`${chat.url}/health/ready`)).status).toBe(200);
  });

  it('gets the connection back of a client that leaves before the database has said anything', async () => {
    await using _lock = await messagesLocked();
    ada.emit('history', 'archive');
    await until(stats, ({ leased }) => leased === 1);
    kill(ada);
    await untilAllIsBack();
  });

  it('forgets a client that leaves while it waits for a connection, and has it ask for none', async () => {
    const { totals } = await untilAllIsBack();
    await using lock = await messagesLocked();
    const busy = await allBusy(ada);
    grace.emit('join', 'archive');
    grace.emit('history', 'archive');
    await until(stats, ({ waiting }) => waiting === 2);
    kill(grace);
    await until(stats, ({ waiting }) => waiting === 0);
    await lock[Symbol.asyncDispose]();
    await busy.over;
    const after = await untilAllIsBack();
    expect(after.totals).toMatchObject({
      acquired: totals.acquired + MAX,
      aborted: totals.aborted + 2,
      timedOut: totals.timedOut,
    });
  });

  it('hides a message for another service, by TCP, and tells the room', async () => {
    const { id } = (await ada.emitWithAck('say', { room: 'lobby', text: 'rude' })) as { id: number };
    const told = next(grace, 'hidden');
    const message = { id, reason: 'rude' };
    expect(await lastValueFrom(chat.moderator.send('messages.hide', message))).toEqual({ room: 'lobby' });
    expect(await told).toBe(id);
    await expect(lastValueFrom(chat.moderator.send('messages.hide', message))).rejects.toEqual({
      status: 'error',
      message: 'There is no such message',
    });
    await untilAllIsBack();
  });

  it('answers a GraphQL query on one connection, however many resolvers it takes', async () => {
    const { totals } = await untilAllIsBack();
    const answer = await chat.query(
      '{ room(name: "archive") { said messages(last: 2) { text author { name } } } }',
    );
    expect(answer).toEqual({
      data: {
        room: {
          said: ARCHIVED,
          messages: [
            { text: `Message ${ARCHIVED - 1}`, author: { name: 'Grace' } },
            { text: `Message ${ARCHIVED}`, author: { name: 'Ada' } },
          ],
        },
      },
    });
    expect((await untilAllIsBack()).totals.acquired).toBe(totals.acquired + 1);
  });

  it('says to all kinds of clients that it is busy, when to come back, and nothing of why', async () => {
    await using lock = await messagesLocked();
    const busy = await allBusy(ada);
    // They wait until their time is over; as many as may wait, so that the next ones are told at once.
    const tooLate = next(grace, 'exception');
    for (let i = 0; i < MAX_WAITING; i++) grace.emit('say', { room: 'lobby', text: 'in vain' });
    await until(stats, ({ waiting }) => waiting === MAX_WAITING);

    const full = { status: 'error', message: 'The service is busy, try again later', code: 8, retryAfter: 1 };
    const refused = next(ada, 'exception');
    ada.emit('say', { room: 'lobby', text: 'one too many' });
    const turnedAway = next(chat.connect('grace'), 'exception');
    const hidden = lastValueFrom(chat.moderator.send('messages.hide', { id: 1, reason: 'rude' })).catch(
      (error: unknown) => error,
    );
    const answers = await Promise.all([refused, turnedAway, hidden]);
    const data = { room: 'lobby', text: 'one too many' };
    expect(answers).toEqual([{ ...full, cause: { pattern: 'say', data } }, full, full]);
    const { errors } = await chat.query('{ room(name: "lobby") { said } }');
    expect(errors).toMatchObject([
      { message: full.message, extensions: { code: 'SERVICE_UNAVAILABLE', retryAfter: 1 } },
    ]);
    const timedOut = await tooLate;
    expect(timedOut).toMatchObject({ ...full, code: 14 });
    expect(JSON.stringify([answers, errors, timedOut])).not.toMatch(BACKSTAGE);

    await until(stats, ({ waiting }) => waiting === 0);
    await lock[Symbol.asyncDispose]();
    await busy.over;
    await untilAllIsBack();
    const { rows } = await observer.query(`select from messages where text in ('in vain', 'one too many')`);
    expect(rows).toEqual([]);
  });

  it('sends an author away who has left, everywhere, and lets them in no more', async () => {
    const alan = [await chat.member('alan', 'lobby'), await chat.member('alan', 'archive')];
    const gone = alan.map(socket => next(socket, 'disconnect'));
    await lastValueFrom(chat.moderator.emit('user.left', { name: 'Alan' }));
    expect(await Promise.all(gone)).toEqual(['io server disconnect', 'io server disconnect']);
    const again = chat.connect('alan');
    expect(await next(again, 'exception')).toMatchObject({ message: 'Nobody has this token' });
    await untilAllIsBack();
  });

  it('ends with 0 when it is told to stop, also in the middle of a history, and leaves no connection', async () => {
    const begun = next(ada, 'history');
    ada.emit('history', 'archive');
    await begun;
    chat.kill('SIGTERM');
    expect(await chat.exit).toEqual({ code: 0, signal: null });
    await until(
      async () =>
        (await observer.query("select from pg_stat_activity where application_name = 'chat'")).rowCount,
      count => count === 0,
    );
  });
});
