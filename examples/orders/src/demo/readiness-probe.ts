import { setTimeout as pause } from 'node:timers/promises';
import type { ShopClient } from './shop-client.js';

const PROBE_EVERY = 20;

/** Asks for the readiness all the time, as a load balancer would, and remembers when it changed. */
export class ReadinessProbe {
  private readonly started = performance.now();
  private readonly changes: string[] = [];
  private ready: boolean | undefined;
  private stopped = false;
  private readonly probing: Promise<void>;

  constructor(private readonly shop: ShopClient) {
    this.probing = this.probe();
  }

  /** @returns the whole story */
  async stop(): Promise<string> {
    this.stopped = true;
    await this.probing;
    return this.changes.join(', ');
  }

  private async probe(): Promise<void> {
    while (!this.stopped) {
      const ready = await this.shop.isReady();
      if (ready !== this.ready) {
        const seconds = ((performance.now() - this.started) / 1_000).toFixed(1);
        this.changes.push(`${ready ? 'ready' : 'not ready'} at ${seconds} s`);
        this.ready = ready;
      }
      await pause(PROBE_EVERY);
    }
  }
}
