import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LocalPostgres } from 'local-postgres';
import { get, type Answer } from '../support/http-client.js';
import { launchPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

const APP = fileURLToPath(new URL('../fixtures/early-app.mjs', import.meta.url));

describe('an application that is there before its database', () => {
  let postgres: LocalPostgres;

  beforeAll(async () => {
    postgres = await launchPostgres();
  });
  beforeEach(async () => {
    await postgres.stop();
  });
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });

  const launch = (start: string) => {
    // A password that must not be seen anywhere; the server trusts everybody.
    const url = postgres.url.replace('postgres@', 'postgres:hunter2@');
    const child = spawn(process.execPath, [APP, start, url]);
    const app = {
      output: '',
      exited: once(child, 'exit'),
      probe: (name: string): Promise<Answer> =>
        get(`${/http:\S+/.exec(app.output)?.[0] ?? ''}/health/${name}`),
      kill: (signal: NodeJS.Signals) => child.kill(signal),
      async [Symbol.asyncDispose](): Promise<void> {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        await app.exited;
      },
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (app.output += text));
    }
    return app;
  };

  it('boots unready with start: warm, lives, and becomes ready by itself', async () => {
    await using app = launch('warm');
    await until(
      () => app.output,
      text => /http:\S+\n/.test(text),
    );
    expect(app.output).toMatch(/WARN.*goes on without it, and the pool goes on trying/);
    // It has been trying for a while, and waits for longer each time.
    const unready = await until(
      () => app.probe('ready'),
      ({ body }) => /"failedCreates":(?:[5-9]|\d\d)/.test(body),
    );
    expect(unready.status).toBe(503);
    expect(unready.body).toContain('ECONNREFUSED');
    expect(unready.body).not.toMatch(/hunter2|127\.0\.0\.1|localhost/);
    expect(await app.probe('startup')).toMatchObject({ status: 503 });
    expect(await app.probe('live')).toMatchObject({ status: 200 });

    await postgres.start();
    await until(
      () => app.probe('ready'),
      ({ status }) => status === 200,
    );
    await until(
      () => app.probe('startup'),
      ({ status }) => status === 200,
    );
    app.kill('SIGTERM');
    expect(await app.exited).toEqual([0, null]);
  }, 60_000);

  it('ends by itself with start: required, and says what a person can act on', async () => {
    await using app = launch('required');
    expect(await app.exited).toEqual([1, null]);
    expect(app.output).toMatch(/PoolStartError: .*"db".*ECONNREFUSED/);
    expect(app.output).not.toMatch(/hunter2/);
  });
});
