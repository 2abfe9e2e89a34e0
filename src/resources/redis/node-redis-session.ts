import type { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers';
import type { Handle } from '../../engine/index.js';
import type { NodeRedisHandles } from './node-redis-handle.js';
import { Session, type SessionReset } from './session.js';

type Method = (...args: unknown[]) => unknown;

/** What all clients of node-redis have, whatever their modules, functions and scripts. */
export interface AnyClient extends EventEmitter {
  readonly isReady: boolean;
  readonly isPubSubActive: boolean;
  sendCommand(args: readonly unknown[], options?: unknown): Promise<unknown>;
  readonly options?: { readonly database?: number };
  connect(): Promise<unknown>;
  select(database: number): Promise<unknown>;
  /** RESET, and the handshake after it. */
  reset(): Promise<unknown>;
  destroy(): void;
}

/** What it has and does not declare. */
interface Inside {
  sendCommand: Method;
  _executeMulti: Method;
  _executePipeline: Method;
}

/** A client of node-redis, and what it has been through. */
export class NodeRedisSession extends Session<AnyClient> {
  /** The client behind what looks like one: to set options of commands, node-redis makes objects that inherit from it. */
  readonly real: AnyClient;
  private underWay = 0;
  private whenClosed: (() => void)[] = [];
  private over = false;

  /** @param socket destroys the socket when it is aborted, at whatever stage */
  constructor(
    client: AnyClient,
    mode: SessionReset,
    private readonly socket: AbortController,
    private readonly handles: NodeRedisHandles,
    invalidate: (cause?: unknown) => void,
  ) {
    const real = (client as AnyClient & { _self: AnyClient })._self;
    super(client, real, mode, invalidate);
    this.real = real;
    real.on('end', () => this.finish(new Error('the connection is closed')));
    real.on('error', () => {
      // Without reconnecting there is no other end.
      if (!client.isReady) this.finish(undefined);
    });
    this.watch(real as unknown as Inside);
  }

  override get busy(): boolean {
    return this.underWay > 0;
  }

  protected override get subscribed(): boolean {
    return this.client.isPubSubActive;
  }

  override send(command: string, ...args: string[]): Promise<unknown> {
    return this.client.sendCommand([command, ...args]);
  }

  protected override async renew(): Promise<unknown> {
    const { client, trace } = this;
    // Its handshake after RESET selects what was selected last.
    if (trace.selected || this.foundSelected) await client.select(client.options?.database ?? 0);
    return client.reset();
  }

  override kill(): void {
    try {
      this.client.destroy();
    } catch {
      // Up to version 5 it throws when it is closed.
    }
    this.socket.abort();
    this.finish(new Error('the connection is closed'));
  }

  override async closed(): Promise<void> {
    if (!this.over) await new Promise<void>(resolve => this.whenClosed.push(resolve));
    // The socket has been destroyed, and is closed in this round of the loop.
    await new Promise(resolve => setImmediate(resolve));
  }

  /** The server closes its end as soon as it has answered. */
  protected override bye(): void {
    const done = (): void => this.kill();
    this.send('QUIT').then(done, done);
  }

  override lend(): Handle<AnyClient> {
    return this.handles.make(this);
  }

  /** A borrower's command: until this settles, the session is busy. */
  follow(answer: Promise<unknown>): void {
    this.underWay++;
    answer.then(this.answered, this.refused);
  }

  private readonly answered = (): void => {
    this.underWay--;
  };

  private readonly refused = (error: unknown): void => {
    this.underWay--;
    this.failed(error);
  };

  private finish(cause: Error | undefined): void {
    if (this.over) return;
    this.over = true;
    if (cause) this.spoil(cause);
    for (const resolve of this.whenClosed.splice(0)) resolve();
  }

  /** Sees all commands that are sent, whichever way: that of subscriptions and MONITOR is not one of these. */
  private watch(real: Inside): void {
    const { trace } = this;
    const { sendCommand, _executeMulti, _executePipeline } = real;
    const note = ([name, ...args]: readonly unknown[]): void => trace.note(String(name), args);
    const noteAll = (commands: unknown): void => {
      for (const { args } of commands as readonly { readonly args: readonly unknown[] }[]) note(args);
    };
    real.sendCommand = function (this: unknown, args: unknown, ...rest: unknown[]): unknown {
      note(args as readonly unknown[]);
      return sendCommand.call(this, args, ...rest);
    };
    real._executePipeline = function (this: unknown, commands: unknown, ...rest: unknown[]): unknown {
      noteAll(commands);
      return _executePipeline.call(this, commands, ...rest);
    };
    real._executeMulti = async function (this: unknown, commands: unknown, ...rest: unknown[]) {
      noteAll(commands);
      const results = await _executeMulti.call(this, commands, ...rest);
      // EXEC has ended them. When it has failed, nobody knows whether it was sent.
      trace.watching = false;
      return results;
    };
  }
}
