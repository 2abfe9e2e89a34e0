import type { INestApplicationContext } from '@nestjs/common';
import { until } from '../../support/until.js';
import type { World } from './application.js';
import type { Order } from './order.js';

/** What a transport can do, and a case may need. */
export const ABILITIES = {
  streams: 'an answer may be of several values',
  leaving: 'the server is told when whoever has sent a message leaves',
  tells: 'an error that nobody has filtered is told to the client',
  events: 'events that nobody answers (`@EventPattern()`)',
  clientStreams: 'a client sends several messages in one call',
  acks: 'an acknowledgement that the handler gives itself (`@Ack()`)',
  hooks: 'a gateway is told of clients that come and go',
  scoped: 'handlers that are made for each message',
} as const;
export type Ability = keyof typeof ABILITIES;

/** The handlers that every transport has. */
export type Handler =
  | 'bare'
  | 'deep'
  | 'surrounded'
  | 'caught'
  | 'transacted'
  | 'keyed'
  | 'inherited'
  | 'renamed'
  | 'scoped'
  | 'acknowledged';

/** What comes back of one message, as its client sees it. */
export class Reply {
  readonly values: unknown[] = [];
  private readonly settled: Promise<void>;
  private settle!: () => void;
  /** What the transport says of an error. */
  error: unknown = undefined;
  over = false;

  constructor() {
    this.settled = new Promise(resolve => (this.settle = resolve));
  }

  next(value: unknown): void {
    this.values.push(value);
    this.settle();
  }

  fail(error: unknown): void {
    this.error = error;
    this.end();
  }

  end(): void {
    this.over = true;
    this.settle();
  }

  /** The first value, or the error: `{ error }`. */
  async first(): Promise<unknown> {
    await this.settled;
    return this.error === undefined ? this.values[0] : { error: this.error };
  }

  /** Resolves when all has come, or an error. */
  async finished(): Promise<void> {
    await until(
      () => this.over,
      over => over,
      20_000,
    );
  }

  /** Resolves when that many values have come. */
  async count(count: number): Promise<readonly unknown[]> {
    return until(
      () => this.values,
      values => values.length >= count,
      20_000,
    );
  }
}

export interface Client {
  send(handler: Handler, order: Order): Reply;
  /** Tells an event, and resolves when it is on its way. */
  tell(order: Order): Promise<void>;
  /** It is gone at once, without a word. */
  leave(): void;
  close(): Promise<void>;
}

export interface Running {
  readonly app: INestApplicationContext;
  /** What the application has logged. */
  readonly log: readonly string[];
  connect(): Promise<Client>;
  close(): Promise<void>;
  /** Ends the broker that there was between the two. */
  dispose?(): Promise<void>;
}

export interface Driver {
  readonly name: string;
  readonly can: readonly Ability[];
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined;
  /** What a client is told of a pool that cannot serve: `code` is gRPC's status. */
  busy(code: 8 | 14): unknown;
  /** What a client is told of an error that the application answers itself. */
  told(message: string): unknown;
  /** Does it show its clients any error as it is? GraphQL does. */
  readonly tellsErrors?: boolean;
  start(world: World): Promise<Running>;
}
