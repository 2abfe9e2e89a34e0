import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'examples/model-session/main.mjs';
const PATIENCE = 60_000;

// The package is of 300 MB and not among ours: where it is not installed, the example has to say so, and that is the test.
describe.each([isInstalled()])(
  'the pool of model sessions, where its package is installed: %p',
  installed => {
    const itDoes = installed
      ? 'answers the same from threads as from one session, and gives everything back'
      : 'says what it needs, and ends well';

    it(
      itDoes,
      async () => {
        const { code, output } = await run();
        expect(code).toBe(0);
        if (!installed) {
          expect(output).toBe('skipped: needs onnxruntime-node (npm install onnxruntime-node)\n');
          return;
        }
        expect(output).toContain('All answers are the same.');
        expect(output).toContain('A wrong input: TypeError; sessions destroyed: 0.');
        expect(output).toContain('A thread that dies: ThreadEndedError; the next is served by another.');
        expect(output).toContain('leases 103 given, 103 returned, 0 out');
      },
      PATIENCE,
    );
  },
);

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve('onnxruntime-node');
    return true;
  } catch {
    return false;
  }
}

function run(): Promise<{ code: number | string; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN], { cwd: ROOT, timeout: PATIENCE }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 'killed') : 0, output: stdout + stderr });
    });
  });
}
