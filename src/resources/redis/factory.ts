import type {
  Capacity,
  CreateContext,
  Handle,
  ResetVerdict,
  ResourceFactory,
  ResourceTarget,
  SessionHooks,
} from '../../engine/index.js';
import { renewedOr, sessionHooks } from '../common/hooks.js';
import { shows } from '../common/target.js';
import { discreet, isHopeless } from './errors.js';
import type { Session } from './session.js';

/** Makes a client that is not connected yet. */
export type Open<C> = (context: CreateContext) => Promise<{
  readonly session: Session<C>;
  /** Connects, and resolves when the client is ready. */
  readonly connect: () => Promise<unknown>;
  /** Refuses, by throwing, a server that is not the one that is wanted. */
  readonly check?: () => Promise<unknown>;
}>;

/** How a pool makes, checks, cleans and ends clients of Redis, whichever library they are of. */
export class RedisFactory<C extends object> implements ResourceFactory<C> {
  readonly #open: Open<C>;
  readonly #secrets: readonly unknown[];
  readonly #sessions = new WeakMap<C, Session<C>>();
  declare readonly target: ResourceTarget | undefined;
  /** What the first connection was told, while it was being made. */
  private told: Promise<Capacity | undefined> | undefined = undefined;

  constructor(
    open: Open<C>,
    /** What must not be in an error. */
    secrets: readonly unknown[],
    /** Milliseconds that a connection is given to end by itself. */
    private readonly patience: number,
    /** The user's own, asked about errors that do not end the connection by themselves. */
    private readonly ownIsFatal: ResourceFactory<C>['isFatal'],
    target: () => ResourceTarget,
  ) {
    shows(this, target);
    this.#open = open;
    this.#secrets = secrets;
  }

  // Members of its own, not of a prototype: who takes it apart, `{ ...factory, create }`, keeps the others.

  /** An abort destroys the socket, at whatever stage; any other failure leaves nothing open either. */
  readonly create = async (context: CreateContext): Promise<C> => {
    const { signal } = context;
    signal.throwIfAborted();
    let session: Session<C> | undefined;
    const kill = (): void => session?.kill();
    signal.addEventListener('abort', kill, { once: true });
    try {
      const opening = await this.#open(context);
      ({ session } = opening);
      signal.throwIfAborted();
      await opening.connect();
      // The server may still be loading its data, or want a password that nobody has given.
      await Promise.all([session.ping(), opening.check?.(), this.ask(session)]);
      signal.throwIfAborted();
      session.opened();
      this.#sessions.set(session.client, session);
      return session.client;
    } catch (error) {
      const cause = session?.cause ?? error;
      session?.kill();
      await session?.closed();
      signal.throwIfAborted();
      throw discreet(cause, this.#secrets);
    } finally {
      signal.removeEventListener('abort', kill);
    }
  };

  readonly validate = (client: C): Promise<void> => {
    return this.session(client).ping();
  };

  readonly reset = (client: C): ResetVerdict | Promise<ResetVerdict> => {
    const session = this.session(client);
    return renewedOr(session, session.reset());
  };

  readonly destroy = (client: C): Promise<void> => {
    return this.session(client).end(this.patience);
  };

  readonly handle = (client: C): Handle<C> => {
    return this.session(client).lend();
  };

  /** What the session itself has been through counts; the error may be that of something else. */
  readonly isFatal = (error: unknown, client: C): boolean => {
    const { broken, unfit } = this.session(client);
    return broken || unfit || (this.ownIsFatal?.(error, client) ?? false);
  };

  readonly isRetryable = (error: unknown): boolean => {
    return !isHopeless(error);
  };

  readonly capacity = (): Promise<Capacity | undefined> | undefined => {
    return this.told;
  };

  /** The user's hooks, as the engine is to call them. */
  hooks(given: SessionHooks<C>): SessionHooks<C> {
    return sessionHooks<C>(given, client => this.session(client));
  }

  /** The first connection asks how many there may be, in the round trip in which it is checked. */
  private async ask(session: Session<C>): Promise<void> {
    if (this.told) return;
    this.told = session.send('CONFIG', 'GET', 'maxclients').then(capacityOf, () => undefined);
    await this.told;
  }

  private session(client: C): Session<C> {
    const session = this.#sessions.get(client);
    if (!session) throw new TypeError('This client was not made by this factory');
    return session;
  }
}

/** Of the answer of either protocol: a list, or names and values. Not everybody may ask. */
function capacityOf(answer: unknown): Capacity | undefined {
  const value: unknown = Array.isArray(answer)
    ? answer[1]
    : (answer as { maxclients?: unknown } | null)?.maxclients;
  const limit = Number(value);
  return limit > 0 ? { limit, name: 'maxclients' } : undefined;
}
