import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SMTPServer } from 'smtp-server';
import { smtpFactory, type SmtpSession } from '../../../docs/recipes/smtp.js';
import { Pool, type ResourceFactory } from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { until } from '../../support/until.js';
import { itKeepsTheContract, untilIdle } from './contract.js';

const PASSWORD = 's3cret-of-smtp';
const refusal = (text: string): Error => Object.assign(new Error(text), { responseCode: 550 });

let server: SMTPServer;
/** What has arrived: from whom, and the message. */
let mails: { from: string; text: string }[];
/** All lines that have arrived as text of a message, also of one that has not ended. */
let lines = '';
let logins = 0;

beforeAll(async () => {
  server = new SMTPServer({
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    closeTimeout: 100,
    logger: false,
    onAuth: ({ username = '', password }, _session, callback) => {
      logins++;
      if (password === PASSWORD) callback(null, { user: username });
      else callback(refusal('No'));
    },
    onRcptTo: ({ address }, _session, callback) => {
      callback(address.startsWith('nobody') ? refusal('No such user') : null);
    },
    onData: (stream, session, callback) => {
      let text = '';
      stream.on('data', data => {
        text += String(data);
        lines += String(data);
      });
      stream.on('end', () => {
        const { mailFrom } = session.envelope;
        mails.push({ from: mailFrom ? mailFrom.address : '', text });
        callback();
      });
    },
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
});
afterAll(() => new Promise<void>(resolve => server.close(() => resolve())));
beforeEach(() => {
  mails = [];
  lines = '';
});

const port = (): number => (server.server.address() as AddressInfo).port;

function factory(at = port(), pass = PASSWORD): ResourceFactory<SmtpSession> {
  return smtpFactory({ host: '127.0.0.1', port: at, requireTLS: false, auth: { user: 'pool', pass } });
}

const mail = (session: SmtpSession, from = 'a@example.com', to = 'b@example.com'): Promise<unknown> =>
  session.send({ from, to }, `Subject: a mail of ${from}\r\n\r\nIts text\r\n`);

/** The server waits for the text of a message. */
const untilBegun = (): Promise<boolean> =>
  until(
    // A session has no envelope before its first greeting.
    () =>
      [...server.connections].some(
        ({ session }) => (session as Partial<typeof session>).envelope?.rcptTo.length,
      ),
    begun => begun,
  );

describe('the recipe for SMTP', () => {
  itKeepsTheContract({
    port,
    factory: at => factory(at),
    work: session => mail(session),
    connections: () => server.connections.size,
    secret: PASSWORD,
  });

  it('takes back what a refused recipient has left: the next sender is the sender', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const refused = pool.use(session => mail(session, 'first@example.com', 'nobody@example.com'));
    expect(await failureOf(refused)).toMatchObject({ responseCode: 550 });
    await pool.use(session => mail(session, 'second@example.com'));
    expect(mails.map(({ from }) => from)).toEqual(['second@example.com']);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('never ends the message of a borrower that has left in the middle of it', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const body = new Readable({ read() {} });
    const sending = await pool.use(async session => {
      const sent = failureOf(session.send({ from: 'first@example.com', to: 'b@example.com' }, body));
      body.push('Subject: half\r\n\r\nThe first half\r\n');
      await until(
        () => lines,
        seen => seen.includes('The first'),
      );
      return { sent };
    });
    await pool.use(session => mail(session, 'second@example.com'));
    // Nor adds a command to it, which would be text; the server keeps back the last letters that it has.
    expect(lines).not.toMatch(/^RS/m);
    expect(await sending.sent).toBeInstanceOf(Error);
    expect(mails.map(({ from }) => from)).toEqual(['second@example.com']);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyed: 1 });
  });

  it('destroys a connection whose message broke off at its source', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    const body = new Readable({ read() {} });
    const sending = failureOf(
      pool.use(session => session.send({ from: 'first@example.com', to: 'b@example.com' }, body)),
    );
    body.push('Subject: half\r\n\r\nThe first half\r\n');
    await untilBegun();
    body.destroy(new Error('the source is gone'));
    expect(await sending).toMatchObject({ code: 'ESTREAM' });
    await pool.use(session => mail(session, 'second@example.com'));
    expect(mails.map(({ from }) => from)).toEqual(['second@example.com']);
    expect(pool.stats().totals.destroyedBy).toEqual({ fatal: 1 });
  });

  it('sends one message at a time, and says so', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    await pool.use(async session => {
      const [first, second] = await Promise.allSettled([mail(session), mail(session)]);
      expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
    });
    expect(mails).toHaveLength(1);
  });

  it('keeps a connection when the address was none', async () => {
    await using pool = new Pool({ factory: factory(), max: 1 });
    expect(await failureOf(pool.use(session => mail(session, 'a@example.com', '')))).toMatchObject({
      code: 'EENVELOPE',
    });
    await pool.use(session => mail(session));
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('replaces a connection to which the server has said 421 while it was idle', async () => {
    await using pool = new Pool({ factory: factory(), max: 1, validateAfterIdle: Infinity });
    await pool.use(session => mail(session));
    await untilIdle(pool, 1);
    for (const connection of server.connections) connection.send(421, 'Too long idle');
    await untilIdle(pool, 0);
    await pool.use(session => mail(session));
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { invalid: 1 } });
  });

  it('logs in once with a password that is wrong, and does not show it', async () => {
    const before = logins;
    await using pool = new Pool({ factory: factory(port(), 'wr0ng'), unavailableAfter: 99 });
    const error = await failureOf(pool.acquire());
    expect(error).toMatchObject({ code: 'POOL_UNAVAILABLE', cause: { code: 'EAUTH' } });
    expect(logins).toBe(before + 1);
    expect(inspect(error, { depth: 9 })).not.toContain('wr0ng');
  });

  it('does not send its password where there is no TLS, unless it is told to', async () => {
    const before = logins;
    const options = { host: '127.0.0.1', port: port(), auth: { user: 'pool', pass: PASSWORD } };
    await using pool = new Pool({ factory: smtpFactory(options), unavailableAfter: 1 });
    expect(await failureOf(pool.acquire())).toMatchObject({ code: 'POOL_UNAVAILABLE' });
    expect(logins).toBe(before);
  });
});
