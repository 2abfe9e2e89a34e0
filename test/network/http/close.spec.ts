import { afterEach, describe, expect, it } from '@jest/globals';
import { PoolClosedError } from '../../../src/engine/index.js';
import { HttpConnectionTakenError, HttpSession, PooledAgent } from '../../../src/resources/http.js';
import { until } from '../../support/until.js';
import { httpServer, type CountingServer } from './servers.js';

let server: CountingServer;
let answers: (() => void)[];

afterEach(async () => {
  await server.allClosed();
  await server.stop();
});

/** A server that answers when it is told to. */
async function patient(): Promise<void> {
  answers = [];
  server = await httpServer((_request, response) => void answers.push(() => response.end('late')));
}

async function asked(count: number): Promise<void> {
  await until(
    () => answers.length,
    length => length === count,
  );
}

describe('A session that is closed', () => {
  it('lets requests that are under way come to their end', async () => {
    await patient();
    const session = new HttpSession({ baseUrl: server.origin });
    const call = session.request('/');
    await asked(1);
    const closed = session.close();
    await expect(session.request('/')).rejects.toBeInstanceOf(PoolClosedError);
    await expect(session.fetch('/')).rejects.toBeInstanceOf(PoolClosedError);
    answers[0]!();
    expect(await (await call).body.text()).toBe('late');
    await closed;
    expect(session.stats()).toMatchObject({ state: 'closed', total: 0 });
  });

  it('ends them at its deadline, with an error that says so', async () => {
    await patient();
    const session = new HttpSession({ baseUrl: server.origin });
    const calls = [session.request('/'), session.fetch('/')];
    const failures = calls.map(call => call.catch((error: unknown) => error));
    await asked(2);
    await session.close({ timeout: 0 });
    for (const failure of failures) {
      const error = await failure;
      expect(error).toBeInstanceOf(HttpConnectionTakenError);
      expect((error as Error).message).toContain(server.origin);
    }
  });

  it('refuses those that queue, or serves them', async () => {
    await patient();
    for (const drain of [false, true]) {
      answers = [];
      const session = new HttpSession({ baseUrl: server.origin, max: 1 });
      const first = session.request('/').then(({ body }) => body.text());
      await asked(1);
      const second = session.request('/').then(
        ({ body }) => body.text(),
        (error: unknown) => error,
      );
      const closed = session.close({ drain });
      answers[0]!();
      expect(await first).toBe('late');
      if (drain) {
        await asked(2);
        answers[1]!();
        expect(await second).toBe('late');
      } else expect(await second).toBeInstanceOf(PoolClosedError);
      await closed;
    }
  });

  it('is so at the end of its block', async () => {
    await patient();
    let kept: HttpSession;
    {
      await using session = new HttpSession({ baseUrl: server.origin });
      kept = session;
    }
    expect(kept.stats().state).toBe('closed');
  });
});

it('An agent closes as undici says', async () => {
  await patient();
  const agent = new PooledAgent();
  const call = agent.request({ origin: server.origin, path: '/', method: 'GET' });
  await asked(1);
  await new Promise<void>(resolve => {
    agent.close(resolve);
    answers[0]!();
  });
  await (await call).body.dump();
  const other = new PooledAgent();
  const failed = other
    .request({ origin: server.origin, path: '/', method: 'GET' })
    .catch((error: unknown) => error);
  await asked(2);
  await other.destroy();
  expect(await failed).toBeInstanceOf(HttpConnectionTakenError);
  await new Promise<void>(resolve => other.destroy(resolve));
});

it('An agent refuses what has no origin', async () => {
  await patient();
  const agent = new PooledAgent();
  for (const origin of [undefined, 'x', 'ftp://x']) {
    await expect(agent.request({ origin: origin!, path: '/', method: 'GET' })).rejects.toMatchObject({
      code: 'UND_ERR_INVALID_ARG',
    });
  }
  await agent.close();
});
