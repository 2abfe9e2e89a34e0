import type { Client, ClientConfig } from 'pg';
import type {
  Capacity,
  CreateContext,
  Handle,
  KeyedResourceFactory,
  ResourceFactory,
} from '../../engine/index.js';
import { capacityOf } from './capacity.js';
import { Cancels } from './cancels.js';
import { endSession, openSession } from './connect.js';
import { isHopeless } from './errors.js';
import type { Session, SessionReset } from './session.js';

/**
 * How a pool makes, checks, cleans and ends the clients of pg.
 *
 * @typeParam K the keys of a keyed pool
 */
export class PgFactory<K = undefined> implements ResourceFactory<Client>, KeyedResourceFactory<K, Client> {
  // Private for the language too: it may hold a password, and must not appear when somebody logs the options.
  readonly #config: (key: K) => ClientConfig;
  readonly #sessions = new WeakMap<Client, Session>();
  /** What the first connection was told, while it was being made. */
  private told: Promise<Capacity | undefined> | undefined = undefined;
  private readonly cancels: Cancels;

  constructor(
    config: (key: K) => ClientConfig,
    private readonly sessionReset: SessionReset,
    /** Milliseconds that a connection is given to end by itself. */
    private readonly patience: number,
    /** Can the server be reached by another socket, to cancel a query? */
    private readonly reachable: boolean,
    /** The user's own, asked about errors that do not end the connection by themselves. */
    private readonly ownIsFatal: ResourceFactory<Client>['isFatal'],
    /** Does anybody want to know how many connections the server admits? */
    private readonly asks = false,
  ) {
    this.#config = config;
    this.cancels = new Cancels(reachable);
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  readonly create = async (context: CreateContext & { readonly key?: K }): Promise<Client> => {
    const config = this.#config(context.key as K);
    const { sessionReset, cancels } = this;
    const session = await openSession(config, sessionReset, cancels, context, opened => this.ask(opened));
    this.#sessions.set(session.client, session);
    return session.client;
  };

  readonly validate = (client: Client): Promise<void> => {
    return this.session(client).ping();
  };

  readonly reset = (client: Client): boolean | Promise<boolean> => {
    const session = this.session(client);
    return session.busy ? this.cancels.reset(session) : session.reset();
  };

  readonly destroy = (client: Client): Promise<void> => {
    return endSession(this.session(client), this.patience, this.reachable);
  };

  readonly handle = (client: Client): Handle<Client> => {
    return this.session(client).lend();
  };

  /** What the session itself has been through counts; the error may be that of something else. */
  readonly isFatal = (error: unknown, client: Client): boolean => {
    return this.session(client).broken || (this.ownIsFatal?.(error, client) ?? false);
  };

  readonly isRetryable = (error: unknown): boolean => {
    return !isHopeless(error);
  };

  readonly capacity = (): Promise<Capacity | undefined> | undefined => {
    return this.told;
  };

  /**
   * The first connection asks the server how many there may be, before it is lent: a round trip once, in which no borrower
   * has a part. Keyed pools give no advice, and do not ask.
   */
  private async ask(session: Session): Promise<void> {
    if (this.told || !this.asks) return;
    const asked = capacityOf(session);
    this.told = asked.catch(() => undefined);
    try {
      await asked;
    } catch (error) {
      if (session.broken) throw error;
    }
  }

  private session(client: Client): Session {
    const session = this.#sessions.get(client);
    if (!session) throw new TypeError('This client was not made by this factory');
    return session;
  }
}
