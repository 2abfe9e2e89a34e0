import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'examples/model-session/main.mjs';
const PATIENCE = 60_000;

describe('the pool of model sessions', () => {
  // NODE_PATH counts for both.
  const installed = isInstalled();

  (installed ? it.skip : it)('says what it needs where that is not installed, and ends well', async () => {
    expect(await run()).toEqual({
      code: 0,
      output: 'skipped: needs onnxruntime-node (npm install onnxruntime-node)\n',
    });
  });

  (installed ? it : it.skip)(
    'answers the same from threads as from one session, and gives everything back',
    async () => {
      const { code, output } = await run();
      expect(output).toContain('All answers are the same.');
      expect(output).toContain('A wrong input: TypeError; sessions destroyed: 0.');
      expect(output).toContain('A thread that dies: ThreadEndedError; the next is served by another.');
      expect(output).toContain('leases 103 given, 103 returned, 0 out');
      expect(code).toBe(0);
    },
    PATIENCE,
  );
});

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
