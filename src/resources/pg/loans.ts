import type { Client, PoolClient } from 'pg';
import type { Lease, Pool } from '../../engine/index.js';
import { endsSession, type ServerError } from './errors.js';
import { borrowOf, exchangeBorrow, type Borrow } from './handle.js';
import type { Session } from './session.js';

/** A client that is lent again and again, and the lease that it is lent by. */
export interface Loan {
  readonly client: PoolClient;
  readonly session: Session;
  /** Of the session that it was made for: after a reset it is another, for which another client is made. */
  readonly generation: number;
  borrow: Borrow;
  lease: Lease<Client> | undefined;
}

/** Told what becomes of the connections of the pool that were lent by it. */
export interface LoanListener {
  /** The client is a new one, and so is its session; `setUp` calls what is to make that what it is. */
  introduced(client: PoolClient, setUp: (work: () => void) => void): void;
  /** It can be lent to nobody any more. */
  gone(client: PoolClient): void;
  /** Its connection has failed while nobody had it. */
  failed(error: Error, client: PoolClient): void;
}

/** SQLSTATEs of connection exceptions begin so. */
const CONNECTION_EXCEPTION = '08';
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The connections of a pool as pg-pool lends its own: the same client each time, for as long as its session is the same. */
export class Loans {
  private readonly last = new WeakMap<Session, Loan>();

  constructor(
    private readonly pool: Pool<Client>,
    private readonly listener: LoanListener,
  ) {}

  /** @throws what `pool.acquire()` throws */
  acquire(): Promise<Lease<Client>> {
    return this.pool.acquire();
  }

  /**
   * Makes a loan of a lease.
   *
   * @returns undefined when somebody else has made the session what it is: then it is to be {@link renew}ed
   * @throws LeaseReleasedError when the lease has ended meanwhile
   * @throws TypeError when the pool lends something else
   */
  lend(lease: Lease<Client>): Loan | undefined {
    const borrow = this.borrowOf(lease);
    const { session } = borrow;
    borrow.alone = true;
    if (session.condition.setUpBy !== undefined && session.condition.setUpBy !== this) return undefined;
    const loan = this.last.get(session);
    if (loan?.generation !== session.condition.generation) return this.introduce(lease, borrow);
    exchangeBorrow(loan.client, borrow);
    loan.borrow = borrow;
    loan.lease = lease;
    return loan;
  }

  /**
   * Makes a session that somebody else has set up a new one; if that fails, borrows another.
   *
   * @throws as {@link acquire}
   */
  async renew(lease: Lease<Client>): Promise<Lease<Client>> {
    try {
      if (await this.borrowOf(lease).session.renew()) return lease;
      lease.destroy();
    } catch (error) {
      lease.destroy(error);
    }
    return this.acquire();
  }

  /** @param error what pg-pool takes: true, or what has gone wrong */
  giveBack(loan: Loan, error: unknown): void {
    const { lease, session } = loan;
    loan.lease = undefined;
    if (!lease) return;
    session.keepListeners();
    if (error && !staysOfUse(error)) lease.destroy(error);
    else lease.release(error);
  }

  private introduce(lease: Lease<Client>, borrow: Borrow): Loan {
    const { session } = borrow;
    const client = session.lendLasting(borrow) as PoolClient;
    if (!this.last.has(session)) {
      // What a listener throws is nobody's here.
      void session.closed().then(() => {
        process.nextTick(() => {
          this.lost(session);
        });
      });
    }
    const loan: Loan = { client, session, generation: session.condition.generation, borrow, lease };
    this.last.set(session, loan);
    // What an application does with each new client is to be done again after a reset.
    this.listener.introduced(client, work => {
      session.condition.setUp(this, work);
    });
    return loan;
  }

  private borrowOf(lease: Lease<Client>): Borrow {
    const borrow = borrowOf(lease.resource);
    if (borrow) return borrow;
    lease.release();
    throw new TypeError('The pool of this facade does not lend clients of pgPool()');
  }

  /** Who holds it cannot do anything with it any more, and may have forgotten it: its place is free. */
  private lost(session: Session): void {
    const loan = this.last.get(session);
    if (!loan) return;
    const { lease, client } = loan;
    if (lease) {
      loan.lease = undefined;
      lease.release();
      // It has not been given back too early by its borrower, and is not told so.
      loan.borrow.why = () => new Error('Client has encountered a connection error and is not queryable');
    } else if (session.fault) this.listener.failed(session.fault, client);
    this.listener.gone(client);
  }
}

/** pg-pool destroys a connection for whatever is true. A statement that has failed says nothing against it. */
function staysOfUse(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, severity } = error as ServerError;
  if (severity === undefined || typeof code !== 'string' || !SQLSTATE.test(code)) return false;
  return !code.startsWith(CONNECTION_EXCEPTION) && !endsSession(error);
}
