import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** Ends the command when its own stdin ends: with this process, however that ends. */
const TETHER = '"$@" </dev/null & p=$!; cat >/dev/null; kill $p; wait $p';

/** A server that does not outlive this process. */
export class Tethered {
  /** All that it has said. */
  said = '';

  private constructor(private readonly child: ChildProcessByStdio<Writable, Readable, Readable>) {
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (this.said += String(data)));
    child.stdin.on('error', () => undefined);
  }

  static run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Tethered {
    return new Tethered(spawn('sh', ['-c', TETHER, 'sh', command, ...args], { env, stdio: 'pipe' }));
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const closed = once(this.child, 'close');
    this.child.stdin.end();
    await closed;
  }
}
