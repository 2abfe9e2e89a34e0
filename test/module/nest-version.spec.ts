import { expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PoolShedError, toHttpException } from '../../src/index.js';
import { NEST_VERSION } from '../support/nest-major.js';

/** The version of the package that this file is of, as exact as that which the tests are meant to run on. */
function versionOf(url: string): string {
  let folder = new URL('.', url);
  while (!folder.pathname.endsWith('/node_modules/')) {
    try {
      const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as {
        version?: string;
      };
      if (version) return version.split('.').slice(0, NEST_VERSION.split('.').length).join('.');
    } catch {
      // Not the folder of the package yet.
    }
    folder = new URL('..', folder);
  }
  throw new Error(`${url} is in no package`);
}

it.each(['common', 'core', 'platform-express', 'platform-fastify', 'terminus', 'testing'])(
  'the tests run on the @nestjs/%s that they are meant to run on',
  name => {
    expect(versionOf(import.meta.resolve(`@nestjs/${name}`))).toBe(NEST_VERSION);
  },
);

it('the code under test has the same NestJS as the tests', () => {
  const shed = Object.create(PoolShedError.prototype) as PoolShedError;
  expect(toHttpException(shed)?.exception).toBeInstanceOf(HttpException);
});

it('so has a process that a test starts, and the built package in it', async () => {
  const fixture = fileURLToPath(new URL('../fixtures/versions.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
  const { found, shared } = JSON.parse(stdout) as { found: string; shared: boolean };
  expect(versionOf(found)).toBe(NEST_VERSION);
  expect(shared).toBe(true);
});
