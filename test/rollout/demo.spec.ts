import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'dist/examples/orders/demo/main.js';
const PATIENCE = 120_000;

function runDemo(broken: string): Promise<{ code: number | string; output: string }> {
  return new Promise(resolve => {
    const env = { ...process.env, DEMO_BREAK: broken };
    execFile(process.execPath, [MAIN], { cwd: ROOT, env, timeout: PATIENCE }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 'killed') : 0, output: stdout + stderr });
    });
  });
}

describe('the demonstration', () => {
  it(
    'ends well, with everything that was lent given back',
    async () => {
      const { code, output } = await runDemo('');
      expect(output).toContain('Everything adds up.');
      expect(output).not.toContain('WRONG');
      const [, given, returned] = /leases +([\d,]+) given, ([\d,]+) returned/.exec(output) ?? [];
      expect(Number(given?.replace(',', ''))).toBeGreaterThan(100);
      expect(returned).toBe(given);
      expect(output).toMatch(/What the pool has to say:\n[^]*validate-timeout +A validation that hangs/);
      expect(code).toBe(0);
    },
    PATIENCE,
  );

  it.each([
    ['release', 'a lease that is not given back', /1 of [\d,]+ leases never came back/],
    ['cap', 'more connections than max', /the cap was exceeded: \d+ connections at the server, max is 10/],
    ['recover', 'a shop that does not recover', /the shop did not recover/],
  ])(
    'fails, with DEMO_BREAK=%s, for %s',
    async (broken, _what, finding) => {
      const { code, output } = await runDemo(broken);
      const [, verdict] = output.split('FAILED');
      expect(verdict).toMatch(finding);
      expect(code).toBe(1);
    },
    PATIENCE,
  );
});
