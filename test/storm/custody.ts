import type { Client } from 'pg';
import type { DestroyReason, PoolListener, ResourceFactory } from '../../src/engine/index.js';
import { AbandonedError } from '../../src/scope/index.js';
import { Abandonments } from './abandonments.js';
import type { Guest } from './guest.js';
import { REFUSES_OVERLAPS, isRefusal } from './money/overlaps.js';
import type { Wrongs } from './wrongs.js';

/** One connection, from its create to its destroy. */
interface Keeping {
  readonly client: Client;
  /** How many listeners it had when it was new. */
  readonly listeners: number;
  lent: boolean;
  /** Counts the leases of this connection. */
  tenancy: number;
  /** The first to use it in this lease; nobody else may until the next. */
  guest: Guest | undefined;
  uses: number;
  /** Whose code may go on with it; it is never lent again. */
  abandoned: boolean;
  /** It has broken. Its borrower may give it up for another while somebody of the same request still has it. */
  broken: boolean;
}

/** What the first statement of each lease looks at: is anything left of the session's last borrower? */
interface SessionState {
  mine: number;
  pid: number;
  owner: string;
  in_transaction: boolean;
  tables: number;
  channels: number;
}

/** What was counted since somebody has asked. */
interface Counts {
  /** By why they were; those that were abandoned apart. */
  readonly destroyed: Map<DestroyReason | 'abandoned', number>;
  /** Statements that were sent when the connection had gone back, and how many of them were not let through. */
  careless: number;
  refused: number;
}
const newCounts = (): Counts => ({ destroyed: new Map(), careless: 0, refused: 0 });

/**
 * Watches who uses which connection: only the one request it is lent to, only while it is lent, and it goes back when
 * nothing of that request is using it. It goes by the pool's events and by what the server says of the session, not by
 * what a scope believes.
 */
export class Custody {
  /** By pg's own connection, which is the same object for a client and for what a borrower gets in its place. */
  private readonly keepings = new WeakMap<object, Keeping>();
  private readonly bySlot = new Map<number, Keeping>();
  private creates = 0;
  readonly abandonments: Abandonments;
  private counts = newCounts();

  constructor(private readonly wrongs: Wrongs) {
    this.abandonments = new Abandonments(wrongs);
  }

  /** How many connections are open, by the factory's count. */
  get open(): number {
    return this.bySlot.size;
  }

  /** The same factory, with its connections registered. A pool numbers its resources as it begins to create them. */
  watched(factory: ResourceFactory<Client>): ResourceFactory<Client> {
    const slots = new WeakMap<Client, number>();
    return {
      create: async context => {
        const slot = ++this.creates;
        let keeping: Keeping | undefined = undefined as Keeping | undefined;
        const invalidate = (cause?: unknown): void => {
          if (keeping) keeping.broken = true;
          context.invalidate(cause);
        };
        const client = await factory.create({ ...context, invalidate });
        keeping = {
          client,
          listeners: listenersOf(client),
          lent: false,
          tenancy: 0,
          guest: undefined,
          uses: 0,
          abandoned: false,
          broken: false,
        };
        this.keepings.set(client.connection, keeping);
        this.bySlot.set(slot, keeping);
        slots.set(client, slot);
        return client;
      },
      validate: client => factory.validate?.(client),
      reset: client => factory.reset?.(client),
      destroy: async (client, reason, context) => {
        await factory.destroy?.(client, reason, context);
        this.bySlot.delete(slots.get(client)!);
      },
      ...(factory.begin && { begin: (...how) => factory.begin!(...how) }),
      ...(factory.handle && { handle: client => factory.handle!(client) }),
      isFatal: (error, client) => factory.isFatal?.(error, client) ?? false,
      isRetryable: error => factory.isRetryable?.(error) ?? true,
    };
  }

  readonly listener: PoolListener = {
    onAcquire: ({ slot }) => {
      const keeping = this.bySlot.get(slot)!;
      if (keeping.lent) this.wrongs.add('lent twice', keeping.guest);
      if (keeping.abandoned) this.wrongs.add('lent on after it was abandoned', keeping.guest);
      keeping.lent = true;
      keeping.tenancy++;
      keeping.guest = undefined;
      keeping.uses = 0;
    },
    onRelease: ({ slot, error }) => {
      const keeping = this.bySlot.get(slot)!;
      keeping.lent = false;
      if (error instanceof AbandonedError) {
        keeping.abandoned = true;
        this.abandonments.add(error, keeping.guest);
      } else if (keeping.uses > 0 && !keeping.broken) {
        this.wrongs.add('given back while in use', keeping.guest);
      }
    },
    onDestroy: ({ reason, cause }) => {
      const why = cause instanceof AbandonedError ? 'abandoned' : reason;
      const { destroyed } = this.counts;
      destroyed.set(why, (destroyed.get(why) ?? 0) + 1);
    },
  };

  /** A part of a request begins to use a connection; to be disposed of when it has done. */
  use(client: Client, guest: Guest): Disposable {
    const keeping = this.keepings.get(client.connection)!;
    const isNobodys = (keeping.abandoned || keeping.broken) && keeping.guest === guest;
    if (!keeping.lent && !isNobodys) this.wrongs.add('used when it was lent to nobody', guest);
    else if (keeping.guest && keeping.guest !== guest) this.wrongs.add('used by two requests', guest);
    keeping.guest ??= guest;
    keeping.uses++;
    const { tenancy } = keeping;
    let over = false;
    return {
      [Symbol.dispose]: () => {
        if (!over && keeping.tenancy === tenancy) keeping.uses--;
        over = true;
      },
    };
  }

  /** As {@link use}; the first use of a lease sees that the session has nothing of anybody else. */
  async begin(client: Client, guest: Guest): Promise<Disposable> {
    const isNew = this.keepings.get(client.connection)?.guest === undefined;
    const use = this.use(client, guest);
    try {
      if (isNew) await this.inspect(client, guest);
      return use;
    } catch (error) {
      use[Symbol.dispose]();
      throw error;
    }
  }

  /** @returns was the connection lent to the same borrower all the time until now, as far as it has not broken? */
  lentSince(client: Client): () => boolean {
    const keeping = this.keepings.get(client.connection)!;
    const { tenancy } = keeping;
    return () => (keeping.lent && keeping.tenancy === tenancy) || keeping.broken || keeping.abandoned;
  }

  /** A statement of code that may outlive its request. That is its own fault, and nobody else's trouble. */
  async statement(client: Client, guest: Guest, text: string): Promise<void> {
    const { lent, guest: holder } = this.keepings.get(client.connection)!;
    const isLate = !lent || holder !== guest;
    if (isLate) this.counts.careless++;
    try {
      await client.query(text);
    } catch (error) {
      if (isRefusal(error)) this.counts.refused++;
      throw error;
    }
    if (isLate && REFUSES_OVERLAPS) this.wrongs.add('let to a connection that had gone back', guest);
  }

  /** Who has what is lent now, for the report about what does not come back. */
  get holders(): string[] {
    return [...this.bySlot]
      .filter(([, { lent }]) => lent)
      .map(
        ([slot, { guest, uses }]) =>
          `connection ${slot}, ${uses} uses: ${guest?.toString() ?? 'nobody has used it'}`,
      );
  }

  takeCounts(): Readonly<Counts> {
    const { counts } = this;
    this.counts = newCounts();
    return counts;
  }

  /** Are there listeners on those connections that nobody uses which were not there in the beginning? */
  checkListeners(): void {
    for (const { client, lent, listeners } of this.bySlot.values()) {
      if (!lent && listenersOf(client) !== listeners)
        this.wrongs.add('a client with other listeners than at first');
    }
  }

  private async inspect(client: Client, guest: Guest): Promise<void> {
    // Without parameters: in the simple protocol a transaction of one statement begins with that statement.
    const { rows } = await client.query<SessionState>(
      `select ${guest.visit.id} as mine, pg_backend_pid() as pid,
              coalesce(current_setting('storm.owner', true), '') as owner,
              now() <> statement_timestamp() as in_transaction,
              (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as tables,
              (select count(*)::int from pg_listening_channels()) as channels`,
    );
    const [state] = rows;
    if (!state) {
      this.wrongs.add('no answer to a question', guest);
      return;
    }
    const { processID } = client as unknown as { processID: number };
    if (state.mine !== guest.visit.id || state.pid !== processID) {
      this.wrongs.add('the answer to somebody else', guest);
    }
    if (state.owner !== '') this.wrongs.add('a setting of somebody else', guest);
    if (state.in_transaction) this.wrongs.add('a transaction of somebody else', guest);
    if (state.tables > 0) this.wrongs.add('a temporary table of somebody else', guest);
    if (state.channels > 0) this.wrongs.add('a LISTEN of somebody else', guest);
  }
}

function listenersOf(client: Client): number {
  return client.eventNames().reduce((sum, event) => sum + client.listenerCount(event), 0);
}
