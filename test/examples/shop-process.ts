import { once } from 'node:events';
import { connect } from 'node:net';
import { ExampleProcess } from './example-process.js';

/** The shop. */
export class ShopProcess extends ExampleProcess {
  /** Resolves when it has said that it is open. */
  static open(environment: NodeJS.ProcessEnv = {}): Promise<ShopProcess> {
    return new ShopProcess('orders', environment).opened();
  }

  override opened(last = 'Ctrl-C stops it'): Promise<this> {
    return super.opened(last);
  }

  /** For one that is not expected to open, or not at once. */
  static start(environment: NodeJS.ProcessEnv): ShopProcess {
    return new ShopProcess('orders', environment);
  }

  /** Where its own database listens, if it has one. */
  get databasePort(): number {
    return Number(/at 127\.0\.0\.1:(\d+)/.exec(this.output)?.[1]);
  }

  get databaseUrl(): string {
    return `postgresql://postgres@127.0.0.1:${this.databasePort}/orders`;
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
