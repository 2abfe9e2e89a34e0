import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'dist/examples/orders/main.js';

/** The built example, run by node as a user would run it. */
export class ShopProcess implements AsyncDisposable {
  output = '';
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;

  private constructor(environment: NodeJS.ProcessEnv) {
    const { DATABASE_URL: _ours, ...inherited } = process.env;
    this.child = spawn(process.execPath, [MAIN], {
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

  /** Resolves when it has said that it is open. */
  static async open(environment: NodeJS.ProcessEnv = {}): Promise<ShopProcess> {
    const shop = new ShopProcess(environment);
    await Promise.race([
      shop.exit,
      new Promise<void>(resolve => {
        shop.child.stdout?.on('data', () => {
          if (shop.output.includes('Ctrl-C stops it')) resolve();
        });
      }),
    ]);
    if (!shop.url) throw new Error(`The shop did not open:\n${shop.output}`);
    return shop;
  }

  /** For one that is not expected to open. */
  static start(environment: NodeJS.ProcessEnv): ShopProcess {
    return new ShopProcess(environment);
  }

  get url(): string {
    return /open at http:\/\/localhost(:\d+)/.exec(this.output)?.[1]?.replace(/^/, 'http://127.0.0.1') ?? '';
  }

  /** Where its own PostgreSQL listens, if it has one. */
  get databasePort(): number {
    return Number(/at 127\.0\.0\.1:(\d+)/.exec(this.output)?.[1]);
  }

  get databaseUrl(): string {
    return `postgresql://postgres@127.0.0.1:${this.databasePort}/orders`;
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

/** Does nobody listen at this port? */
export async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}
