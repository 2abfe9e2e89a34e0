import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What the process has seen: test/fixtures/two-copies.mjs. */
interface Seen {
  readonly alone: string;
  readonly apart: boolean;
  readonly instances: Readonly<Record<string, boolean>>;
  readonly fail: Answer;
  readonly parameter: Answer;
  readonly injected: Answer;
  readonly tenant: Answer;
  readonly leases: string;
}

describe('with two copies of the package in one process', () => {
  let seen: Seen;

  beforeAll(async () => {
    const fixture = fileURLToPath(new URL('../fixtures/two-copies.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
    seen = JSON.parse(stdout) as Seen;
    expect(seen.apart).toBe(true);
  });

  it('the errors of the other are known by their class and its base classes, and no others', () => {
    expect(seen.instances).toMatchObject({ sameClass: true, baseClass: true, otherClass: false });
  });

  it('classes of the user that extend an error are told apart as they always are', () => {
    expect(seen.instances).toMatchObject({ subclassOfTheirs: true, subclassOfOurs: false });
  });

  it('a capacity error of the other is answered with 503', () => {
    expect(seen.fail.status).toBe(503);
    expect(seen.fail.body).toContain('The service is busy');
  });

  it('a pool by key of the other is borrowed from by key', () => {
    expect(seen.instances).toMatchObject({ keyedPool: true });
    expect(seen.tenant).toEqual({ status: 200, body: '{"tenant":"acme"}' });
  });

  it('what is injected by a decorator of the other is the one of the application', () => {
    expect(seen.injected).toEqual({ status: 200, body: '{"item":1}' });
  });

  it('a parameter that the other borrows finds no scope, and is told why', () => {
    expect(seen.parameter.status).toBe(500);
    expect(seen.parameter.body).toContain('This process has loaded nestjs-pool 2 times');
  });

  it('nothing is said of copies before there are two', () => {
    expect(seen.alone).toContain('there is no borrow scope here');
    expect(seen.alone).not.toContain('times');
  });

  it('assertNoLeases() of the other looks at the pool it is given', () => {
    expect(seen.leases).toContain('pool "held" has 1 leased');
  });
});
