import type pg from 'pg';
import type { Client } from 'pg';
import type {
  Capacity,
  CreateContext,
  Handle,
  KeyedResourceFactory,
  OpenTransaction,
  KeyedSessionHooks,
  ResetVerdict,
  ResourceFactory,
  ResourceTarget,
  TransactionOptions,
} from '../../engine/index.js';
import { FirstAsked } from '../common/first-asked.js';
import { renewedOr, sessionHooks } from '../common/hooks.js';
import { capacityOf } from './capacity.js';
import { Cancels } from './cancels.js';
import { endSession, openSession } from './connect.js';
import { isHopeless } from './errors.js';
import { Fleet } from './fleet.js';
import { beginTransaction } from './managed.js';
import type { Notices } from './notices.js';
import { shows } from '../common/target.js';
import { SYSTEM, shownIn, type Shown } from './shown.js';
import type { Targets } from './hosts.js';
import { openFirst } from './try-hosts.js';
import type { SessionReset } from './condition.js';
import { Session } from './session.js';
import { Traces } from './statements.js';

export interface FactoryOptions {
  /** The name of the pool, for messages. */
  readonly pool: string;
  readonly sessionReset: SessionReset;
  /** Functions of the user that leave nothing behind in a session. */
  readonly harmlessFunctions: readonly string[] | undefined;
  /** The user's own, asked about errors that do not end the connection by themselves. */
  readonly isFatal: ResourceFactory<Client>['isFatal'];
  readonly notices: Notices | undefined;
  /** Milliseconds that a connection is given to end by itself. */
  readonly patience: number;
  /** Can the server be reached by another socket, to cancel a query? */
  readonly reachable: boolean;
  /** The class of the user's that clients are made with. */
  readonly Client: typeof pg.Client | undefined;
  /** May the process end while connections are idle? */
  readonly mayExit: boolean;
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
  declare readonly target: ResourceTarget | undefined;
  private readonly pool: string;
  private readonly sessionReset: SessionReset;
  private readonly traces: Traces;
  private readonly ownIsFatal: FactoryOptions['isFatal'];
  private readonly notices: Notices | undefined;
  private readonly patience: number;
  private readonly reachable: boolean;
  private readonly Client: typeof pg.Client | undefined;
  private readonly mayExit: boolean;
  private readonly cancels: Cancels;
  private readonly fleet = new Fleet();
  private readonly told: FirstAsked<Session>;

  constructor(
    targets: (key: K) => Targets,
    {
      pool,
      sessionReset,
      harmlessFunctions,
      isFatal,
      notices,
      patience,
      reachable,
      Client,
      mayExit,
    }: FactoryOptions,
    /** Does anybody want to know how many connections the server admits? */
    asks = false,
    target: () => ResourceTarget = () => ({ system: SYSTEM }),
  ) {
    this.#targets = targets;
    shows(this, target);
    this.pool = pool;
    this.sessionReset = sessionReset;
    this.traces = new Traces(harmlessFunctions);
    this.ownIsFatal = isFatal;
    this.notices = notices;
    this.patience = patience;
    this.reachable = reachable;
    this.Client = Client;
    this.mayExit = mayExit;
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
        this.Client,
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
    if (this.mayExit) session.holdProcess(false);
    return session.client;
  };

  readonly validate = async (client: Client): Promise<void> => {
    const session = this.session(client);
    if (this.mayExit) session.holdProcess(true);
    await session.ping();
    if (this.mayExit) session.holdProcess(false);
  };

  readonly reset = (client: Client): ResetVerdict | Promise<ResetVerdict> => {
    const session = this.session(client);
    const done = renewedOr(session, session.busy ? this.cancels.reset(session) : session.reset());
    return this.mayExit ? this.atRest(session, done) : done;
  };

  readonly destroy = (client: Client): Promise<void> => {
    const session = this.session(client);
    if (this.mayExit) session.holdProcess(true);
    return endSession(session, this.patience, this.reachable);
  };

  readonly handle = (client: Client): Handle<Client> => {
    const session = this.session(client);
    if (this.mayExit) session.holdProcess(true);
    return session.lend();
  };

  readonly begin = (
    handle: Client,
    options: TransactionOptions,
    whole: boolean,
  ): Promise<OpenTransaction> => {
    return beginTransaction(this.pool, handle, options, whole);
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

  /** Where the connections go to, for those who show the pool as one of pg. */
  readonly shown = (): Shown => {
    return shownIn(this.#targets(undefined as K).hosts[0]?.config);
  };

  /** The user's hooks, as the engine is to call them. */
  hooks(given: KeyedSessionHooks<K, Client>): KeyedSessionHooks<K, Client> {
    return sessionHooks<Client, K>(given, client => this.session(client));
  }

  private async atRest(session: Session, done: ResetVerdict | Promise<ResetVerdict>): Promise<ResetVerdict> {
    const clean = await done;
    if (clean) session.holdProcess(false);
    return clean;
  }

  private watch(client: Client, key: K | undefined): Session {
    const session = new Session(client, this.sessionReset, this.cancels, this.traces);
    this.notices?.listen(client.connection, key, () => session.processId);
    return session;
  }

  private session(client: Client): Session {
    const session = this.#sessions.get(client);
    if (!session) throw new TypeError('This client was not made by this factory');
    return session;
  }
}
