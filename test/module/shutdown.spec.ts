import { describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Call, get } from '../support/http-client.js';
import { PLATFORMS, type Platform } from '../support/nest-app.js';
import { until } from '../support/until.js';

const APP = fileURLToPath(new URL('../fixtures/stopping-app.mjs', import.meta.url));

class StoppingApp implements AsyncDisposable {
  output = '';
  readonly exited: Promise<unknown[]>;
  private readonly child: ChildProcess;

  private constructor(platform: Platform, { grace, deadline }: { grace?: number; deadline?: number }) {
    const options = grace === undefined ? [platform] : [platform, String(grace)];
    const env = deadline === undefined ? process.env : { ...process.env, SHUTDOWN_TIMEOUT: String(deadline) };
    this.child = spawn(process.execPath, [APP, ...options], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.exited = once(this.child, 'exit');
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  static async start(
    platform: Platform,
    times: { grace?: number; deadline?: number } = {},
  ): Promise<StoppingApp> {
    const app = new StoppingApp(platform, times);
    await app.says(/http:\S+\n/);
    return app;
  }

  get url(): string {
    return /http:\S+/.exec(this.output)?.[0] ?? '';
  }

  says(pattern: RegExp): Promise<string> {
    return until(
      () => this.output,
      text => pattern.test(text),
    );
  }

  async ready(): Promise<number> {
    return (await get(`${this.url}/health/ready`)).status;
  }

  stop(): void {
    this.child.kill('SIGTERM');
  }

  /** Lets the slow request go. */
  letGo(): void {
    this.child.send('go on');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exited;
  }
}

describe.each(PLATFORMS)('SIGTERM to an application on %s', platform => {
  it('is followed by the grace time, in which it is not ready and serves; then everything ends in order, with 0', async () => {
    // So long that the test, not the clock, is what ends it: on a slow machine nothing is missed.
    await using app = await StoppingApp.start(platform, { grace: 3_000 });
    const events = new Call(`${app.url}/events`);
    await events.firstBytes();
    const slow = new Call(`${app.url}/slow`);
    await app.says(/working/);

    app.stop();
    await until(
      () => app.ready(),
      status => status === 503,
    );
    expect((await get(`${app.url}/health/live`)).status).toBe(200);
    expect(await get(`${app.url}/quick`)).toMatchObject({ status: 200, body: '{"quick":true}' });
    expect(app.output).not.toContain('destroyed');

    await events.rest();
    expect(app.output).not.toMatch(/not back/);
    app.letGo();
    expect(await slow.answer()).toMatchObject({ status: 200, body: '{"slow":true}' });
    expect(await app.exited).toEqual([0, null]);
    expect(app.output).toContain('destroyed: closed');
    expect(app.output).not.toMatch(/not back/);
  });

  it('completes subscriptions and finishes requests also without a grace time, and ends with 0', async () => {
    await using app = await StoppingApp.start(platform);
    const events = new Call(`${app.url}/events`);
    await events.firstBytes();
    const slow = new Call(`${app.url}/slow`);
    await app.says(/working/);
    app.stop();
    await events.rest();
    app.letGo();
    expect(await slow.answer()).toMatchObject({ status: 200, body: '{"slow":true}' });
    expect(await app.exited).toEqual([0, null]);
  });

  it('is not held up by a handler that hangs: at the deadline its resource goes, with a report, and it ends with 0', async () => {
    await using app = await StoppingApp.start(platform, { deadline: 100 });
    const hung = new Call(`${app.url}/hang`);
    await app.says(/hanging/);
    app.stop();
    expect(await app.exited).toEqual([0, null]);
    await expect(hung.response).rejects.toThrow();
    expect(app.output).toMatch(
      /not back at the end of close\(\), held for \d+ ms, and is destroyed\. [^\n]*\n\s+at /,
    );
    expect(app.output).toContain('destroyed: closed');
  });
});
