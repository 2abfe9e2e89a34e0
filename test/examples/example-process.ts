import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** npm runs everything from there, also what was compiled to somewhere else. */
const ROOT = process.cwd();

/** A built example, run by node as a user would run it. */
export class ExampleProcess implements AsyncDisposable {
  output = '';
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;

  /**
   * @param name of the example: the folder that it is built to
   * @param script what to run instead of it
   */
  constructor(name: string, environment: NodeJS.ProcessEnv, script = `dist/examples/${name}/main.js`) {
    const { DATABASE: _ourKind, DATABASE_URL: _ours, ...inherited } = process.env;
    this.child = spawn(process.execPath, [script], {
      cwd: ROOT,
      env: { ...inherited, NO_COLOR: '1', PORT: '0', ...environment },
      // A process group of its own, as a terminal gives it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exit = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  /** Resolves when it has said that it is open, and the last of what it says then. */
  async opened(last: string): Promise<this> {
    await Promise.race([
      this.exit,
      new Promise<void>(resolve => {
        const look = (): void => {
          if (this.output.includes(last)) resolve();
        };
        this.child.stdout?.on('data', look);
        look();
      }),
    ]);
    if (!this.url) throw new Error(`The example did not open:\n${this.output}`);
    return this;
  }

  get url(): string {
    return /open at http:\/\/localhost(:\d+)/.exec(this.output)?.[1]?.replace(/^/, 'http://127.0.0.1') ?? '';
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** As Ctrl-C does at a terminal: to the whole process group. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.child.pid!, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exit;
  }
}
