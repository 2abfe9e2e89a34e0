import type { ConnectionOptions } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import type {
  Capacity,
  CreateContext,
  Handle,
  KeyedResourceFactory,
  KeyedSessionHooks,
  OpenTransaction,
  ResetVerdict,
  ResourceFactory,
  ResourceTarget,
  TransactionOptions,
} from '../../engine/index.js';
import { FirstAsked } from '../common/first-asked.js';
import { renewedOr, sessionHooks } from '../common/hooks.js';
import { shows } from '../common/target.js';
import { capacityOf } from './capacity.js';
import { endSession, openSession } from './connect.js';
import { isHopeless } from './errors.js';
import { Kills } from './kill.js';
import type { Session, SessionReset } from './session.js';
import { beginTransaction } from './transaction.js';

/**
 * How a pool makes, checks, cleans and ends the connections of mysql2.
 *
 * @typeParam K the keys of a keyed pool
 */
export class MysqlFactory<K = undefined>
  implements ResourceFactory<Connection>, KeyedResourceFactory<K, Connection>
{
  // Private for the language too: they may hold a password, and must not appear when somebody logs the options.
  readonly #config: (key: K) => ConnectionOptions;
  readonly #sessions = new WeakMap<Connection, { session: Session; config: ConnectionOptions }>();
  declare readonly target: ResourceTarget | undefined;
  private readonly kills = new Kills();
  private readonly told: FirstAsked<Session>;

  constructor(
    /** The name of the pool, for messages. */
    private readonly pool: string,
    config: (key: K) => ConnectionOptions,
    private readonly sessionReset: SessionReset,
    /** Milliseconds that a connection is given to end by itself. */
    private readonly patience: number,
    /** The user's own, asked about errors that do not end the connection by themselves. */
    private readonly ownIsFatal: ResourceFactory<Connection>['isFatal'],
    /** Does anybody want to know how many connections the server admits? */
    asks: boolean,
    target: () => ResourceTarget,
  ) {
    this.#config = config;
    shows(this, target);
    this.told = new FirstAsked(capacityOf, asks);
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  readonly create = async (context: CreateContext & { readonly key?: K }): Promise<Connection> => {
    const config = this.#config(context.key as K);
    const session = await openSession(config, this.sessionReset, context, opened => this.told.ask(opened));
    this.#sessions.set(session.client, { session, config });
    return session.client;
  };

  readonly validate = (client: Connection): Promise<void> => {
    return this.session(client).ping();
  };

  readonly reset = (client: Connection): ResetVerdict | Promise<ResetVerdict> => {
    const session = this.session(client);
    return renewedOr(session, session.reset());
  };

  readonly destroy = (client: Connection): Promise<void> => {
    const { session, config } = this.find(client);
    return endSession(session, this.patience, this.kills, config);
  };

  readonly handle = (client: Connection): Handle<Connection> => {
    return this.session(client).lend();
  };

  readonly begin = (handle: Connection, options: TransactionOptions): Promise<OpenTransaction> => {
    return beginTransaction(this.pool, handle, options);
  };

  /** What the session itself has been through counts; the error may be that of something else. */
  readonly isFatal = (error: unknown, client: Connection): boolean => {
    return this.session(client).broken || (this.ownIsFatal?.(error, client) ?? false);
  };

  readonly isRetryable = (error: unknown): boolean => {
    return !isHopeless(error);
  };

  readonly capacity = (): Promise<Capacity | undefined> | undefined => {
    return this.told.answer;
  };

  /** The user's hooks, as the engine is to call them. */
  hooks(given: KeyedSessionHooks<K, Connection>): KeyedSessionHooks<K, Connection> {
    return sessionHooks<Connection, K>(given, client => this.session(client));
  }

  private session(client: Connection): Session {
    return this.find(client).session;
  }

  private find(client: Connection): { session: Session; config: ConnectionOptions } {
    const found = this.#sessions.get(client);
    if (!found) throw new TypeError('This connection was not made by this factory');
    return found;
  }
}
