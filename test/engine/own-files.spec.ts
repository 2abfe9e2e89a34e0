import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isOwnFrame, ownPath } from '../../src/engine/basics/own-files.js';
import { fakePool } from '../../src/testing/index.js';

const BUILT = new URL('../../dist/lib/engine/basics/own-files.js', import.meta.url);

describe('the files of the library', () => {
  it('are found', () => {
    expect(existsSync(ownPath('dashboard/page/index.html')!)).toBe(true);
  });

  it('are told from those of the application in a stack', () => {
    const { stack } = new Error();
    const [mine] = stack!.split('\n').filter(line => line.includes('own-files.spec'));
    expect(isOwnFrame(mine!)).toBe(false);
    let inside: string | undefined;
    try {
      fakePool(() => ({}), { max: -1 });
    } catch (error) {
      inside = (error as Error).stack!.split('\n').find(line => line.includes('fake-pool'));
    }
    expect(isOwnFrame(inside!)).toBe(true);
  });

  it.each([
    ['import', `await import('${BUILT.href}')`],
    ['require', `process.getBuiltinModule('module').createRequire('/')('${fileURLToPath(BUILT)}')`],
  ])('are found where it was loaded with %s, whatever the limit of stacks is', (_, load) => {
    const code = `console.log((${load}).ownPath('x'))`;
    const args = ['--no-warnings', '--stack-trace-limit=0', '--input-type=module', '--eval', code];
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(printed.trim()).toBe(fileURLToPath(new URL('../../x', BUILT)));
  });
});

describe('looking for them', () => {
  const before = { ...Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace') };
  const prepare = (): string => 'prepared by somebody else';
  beforeEach(() => {
    jest.resetModules();
    Error.prepareStackTrace = prepare;
  });
  afterEach(() => {
    Object.defineProperty(Error, 'prepareStackTrace', before);
  });

  it('changes nothing for who prepares stacks', async () => {
    const limit = Error.stackTraceLimit;
    const again = (await import('../../src/engine/basics/own-files.js')) as { ownPath: typeof ownPath };
    expect(again.ownPath).not.toBe(ownPath);
    expect(again.ownPath('x')).toBe(ownPath('x'));
    expect(Error.prepareStackTrace).toBe(prepare);
    expect(Error.stackTraceLimit).toBe(limit);
  });
});
