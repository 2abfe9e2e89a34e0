import type { Client } from 'pg';
import type {
  Capacity,
  CreateContext,
  Handle,
  KeyedResourceFactory,
  KeyedSessionHooks,
  ResetVerdict,
  ResourceFactory,
} from '../../engine/index.js';
import { FirstAsked } from '../common/first-asked.js';
import { renewedOr, sessionHooks } from '../common/hooks.js';
import { capacityOf } from './capacity.js';
import { Cancels } from './cancels.js';
import { endSession, openSession } from './connect.js';
import { isHopeless } from './errors.js';
import { Fleet } from './fleet.js';
import type { Notices } from './notices.js';
import type { Targets } from './hosts.js';
import { openFirst } from './try-hosts.js';
import { Session, type SessionReset } from './session.js';

export interface FactoryOptions {
  readonly sessionReset: SessionReset;
  /** The user's own, asked about errors that do not end the connection by themselves. */
  readonly isFatal: ResourceFactory<Client>['isFatal'];
  readonly notices: Notices | undefined;
  /** Milliseconds that a connection is given to end by itself. */
  readonly patience: number;
  /** Can the server be reached by another socket, to cancel a query? */
  readonly reachable: boolean;
}

/**
 * How a pool makes, checks, cleans and ends the clients of pg.
 *
 * @typeParam K the keys of a keyed pool
 */
export class PgFactory<K = undefined> implements ResourceFactory<Client>, KeyedResourceFactory<K, Client> {
  // Private for the language too: it may hold a password, and must not appear when somebody logs the options.
  readonly #targets: (key: K) => Targets;
  readonly #sessions = new WeakMap<Client, Session>();
  private readonly sessionReset: SessionReset;
  private readonly ownIsFatal: FactoryOptions['isFatal'];
  private readonly notices: Notices | undefined;
  private readonly patience: number;
  private readonly reachable: boolean;
  private readonly cancels: Cancels;
  private readonly fleet = new Fleet();
  private readonly told: FirstAsked<Session>;

  constructor(
    targets: (key: K) => Targets,
    { sessionReset, isFatal, notices, patience, reachable }: FactoryOptions,
    /** Does anybody want to know how many connections the server admits? */
    asks = false,
  ) {
    this.#targets = targets;
    this.sessionReset = sessionReset;
    this.ownIsFatal = isFatal;
    this.notices = notices;
    this.patience = patience;
    this.reachable = reachable;
    this.cancels = new Cancels(reachable);
    this.told = new FirstAsked(capacityOf, asks);
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  readonly create = async (context: CreateContext & { readonly key?: K }): Promise<Client> => {
    const { key } = context;
    const targets = this.#targets(key as K);
    const session = await openFirst(targets, context.signal, (config, wanted) =>
      openSession(
        config,
        context,
        client => this.watch(client, key),
        async opened => {
          await opened.role.begin(targets.target, wanted, text => opened.run(text));
          await this.told.ask(opened);
        },
      ),
    );
    this.#sessions.set(session.client, session);
    this.fleet.add(session, context.invalidate);
    return session.client;
  };

  readonly validate = (client: Client): Promise<void> => {
    return this.session(client).ping();
  };

  readonly reset = (client: Client): ResetVerdict | Promise<ResetVerdict> => {
    const session = this.session(client);
    return renewedOr(session, session.busy ? this.cancels.reset(session) : session.reset());
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
    return this.told.answer;
  };

  /** The user's hooks, as the engine is to call them. */
  hooks(given: KeyedSessionHooks<K, Client>): KeyedSessionHooks<K, Client> {
    return sessionHooks<Client, K>(given, client => this.session(client));
  }

  private watch(client: Client, key: K | undefined): Session {
    const session = new Session(client, this.sessionReset, this.cancels);
    this.notices?.listen(client.connection, key, () => session.processId);
    return session;
  }

  private session(client: Client): Session {
    const session = this.#sessions.get(client);
    if (!session) throw new TypeError('This client was not made by this factory');
    return session;
  }
}
