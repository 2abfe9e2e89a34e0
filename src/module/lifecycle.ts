import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import { setImmediate } from 'node:timers';
import { messageOf } from '../engine/index.js';
import { LONGEST_TIMER } from '../engine/time/timer.js';
import { PoolStartError } from './errors.js';
import { startPool } from './pool-start.js';
import { PoolRegistry } from './registry.js';
import { whenServerCloses, type ClosingServer } from './server-closing.js';

/**
 * Milliseconds within which a repeated signal is no second one: a Ctrl-C goes to all processes at the terminal, and npm
 * passes it on to those that have got it already.
 */
const SAME_SIGNAL = 500;

/** Milliseconds that handlers have, once their resources are gone, to answer with the error that they get. */
const LAST_WORDS = 500;

/**
 * Starts the pools with the application, and ends them with it.
 *
 * Shutdown, in Nest's order: readiness goes down (`onModuleDestroy`); the grace time of Terminus and of others passes;
 * subscriptions are completed and the deadline starts (`beforeApplicationShutdown`; this module is the last to be
 * asked); the server stops accepting and waits for its requests; the pools drain (`onApplicationShutdown`). A handler
 * that hangs keeps the server from closing, and then the last step never comes: the deadline does it instead, and ends
 * the connections that are left, so that the server closes and the process can end.
 *
 * Others may close the server before it is their turn, as Apollo Server does in its own `onModuleDestroy`, and wait for
 * its connections. Subscriptions are completed then, as nobody else would end them.
 */
@Injectable()
export class PoolLifecycle
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('PoolModule');
  private deadline = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private closed: Promise<void> | undefined;
  private stopListening: () => void = () => undefined;

  constructor(
    private readonly registry: PoolRegistry,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** @throws PoolStartError when a required pool has no resource; by then all pools are closed */
  async onApplicationBootstrap(): Promise<void> {
    const failures: string[] = [];
    await Promise.all(
      this.registry.entries().map(async entry => {
        try {
          await startPool(entry);
          entry.started = true;
        } catch (error) {
          // Not that it tries again: it will not.
          if (entry.start === 'required')
            failures.push(messageOf(error).replace(/ It tries again by itself[^.]*\./, ''));
          else
            this.logger.warn(
              `${sentence(messageOf(error))} The application goes on without it, and the pool goes on trying.`,
            );
        }
      }),
    );
    if (failures.length > 0) {
      await this.closeAll(0);
      throw new PoolStartError(`The application cannot start: ${failures.map(sentence).join(' ')}`);
    }
    const { server } = this;
    if (server) whenServerCloses(server, () => this.endWhatIsServed());
    // What listens to nobody, such as a script, closes its context itself.
    if (server && process.listenerCount('SIGTERM') === 0 && this.registry.entries().length > 0) {
      this.logger.warn(
        'Nothing listens for SIGTERM: without app.enableShutdownHooks() the pools are not closed when the process is ' +
          'told to stop.',
      );
    }
  }

  onModuleDestroy(): void {
    this.registry.shuttingDown = true;
  }

  async beforeApplicationShutdown(signal?: string): Promise<void> {
    this.endWhatIsServed();
    const timeout = this.registry.shutdownTimeout;
    this.deadline = performance.now() + timeout;
    if (timeout !== Infinity) {
      this.timer = setTimeout(() => void this.force(), Math.min(timeout, LONGEST_TIMER));
      this.timer.unref();
    }
    if (signal) this.hastenOn(signal);
    // The server closes connections that are idle when it closes, and waits for all others: let those of the
    // subscriptions become idle first.
    await new Promise(resolve => setImmediate(resolve));
  }

  async onApplicationShutdown(): Promise<void> {
    this.registry.endAnswers();
    await this.closeAll(Math.max(0, this.deadline - performance.now()));
    clearTimeout(this.timer);
    this.stopListening();
  }

  private get server(): (ClosingServer & Partial<Server>) | undefined {
    const { httpAdapter } = this.adapterHost as { httpAdapter: HttpAdapterHost['httpAdapter'] | undefined };
    return httpAdapter?.getHttpServer() as (ClosingServer & Partial<Server>) | undefined;
  }

  private endWhatIsServed(): void {
    this.registry.shuttingDown = true;
    this.registry.endSubscriptions();
  }

  /** Nest takes no notice of a second signal; who sends one does not want to wait any longer. */
  private hastenOn(signal: string): void {
    const since = performance.now();
    const hasten = (): void => {
      if (performance.now() - since < SAME_SIGNAL) return;
      this.logger.warn(`${signal} again: taking all resources away now`);
      this.stopListening();
      void this.force();
    };
    process.on(signal, hasten);
    this.stopListening = () => process.removeListener(signal, hasten);
  }

  /** Takes all resources away, and then lets no handler keep the server from closing. */
  private async force(): Promise<void> {
    await this.closeAll(0);
    const { server } = this;
    // Not with HTTP/2, whose server cannot do so.
    this.timer = setTimeout(() => server?.closeAllConnections?.(), LAST_WORDS);
    this.timer.unref();
  }

  /** The last in the list of modules first; one that cannot close does not keep the others from it. */
  private closeAll(timeout: number): Promise<void> {
    const pools = this.registry.list().reverse();
    const closing = pools.map(pool => pool.close({ timeout }));
    // Closing already: the call has brought the deadline forward.
    this.closed ??= Promise.allSettled(closing).then(() => {
      this.registry.telemetry.end();
    });
    return this.closed;
  }
}

/** What users' code has said need not end as one. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
