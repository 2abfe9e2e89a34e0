import type { QueryResult } from 'pg';
import {
  SERVER_ROLE,
  SESSION_ROLE,
  described,
  fits,
  toBeKept,
  type ServerRole,
  type TargetSessionAttrs,
  type Wanted,
} from './role.js';

type Run = (text: string) => Promise<unknown>;

/**
 * What the server of one session is, as it reports it unasked since PostgreSQL 14: when the session begins, and then at the
 * end of the statement in which the session has come to know of it. Nobody tells a session that does nothing.
 */
export class RoleWatch {
  /** Must the server be asked before somebody else gets the session? */
  doubtful = false;
  private standby: boolean | undefined = undefined;
  private readOnly: boolean | undefined = undefined;
  private target: TargetSessionAttrs | undefined = undefined;
  /** Nothing to be kept before {@link begin}. */
  private kept: Wanted = 'any';
  /** A statement was refused because it writes. */
  private cannotWrite = false;

  /** The server reports a parameter. */
  told(parameter: string, value: string): void {
    if (parameter === 'in_hot_standby') this.standby = value === 'on';
    else if (parameter === 'default_transaction_read_only') this.readOnly = value === 'on';
    else return;
    if (!this.isKept) this.doubtful = true;
  }

  /** The server has refused to write: read_only_sql_transaction. */
  refusedToWrite(): void {
    // Who wants a standby, or does not care, has written by mistake.
    if (this.target !== undefined && this.target !== 'primary' && this.target !== 'read-write') return;
    this.cannotWrite = this.doubtful = true;
  }

  /**
   * The session has begun, and must stay what it is wanted for.
   *
   * @throws when it is not what is wanted
   */
  async begin(target: TargetSessionAttrs | undefined, wanted: Wanted, run: Run): Promise<void> {
    this.target = target;
    if (target === 'any') return;
    if ((this.standby === undefined || this.readOnly === undefined) && wanted !== 'any') {
      const role = await ask(run, SESSION_ROLE);
      this.standby = role.standby;
      this.readOnly = role.readOnly;
    }
    const { reported } = this;
    if (!reported) return;
    if (!fits(wanted, reported))
      throw new Error(`it is ${described(reported)}, but the pool wants: ${wanted}`);
    this.kept = toBeKept(target, reported);
  }

  /**
   * Asks the server what it is, if that is in doubt.
   *
   * @returns why nobody else may get the session, if it has lost what was to be kept
   */
  async check(run: Run): Promise<Error | undefined> {
    if (!this.cannotWrite && this.isKept) {
      // A borrower has changed it, and that has been undone.
      this.doubtful = false;
      return undefined;
    }
    const role = await ask(run, SERVER_ROLE);
    if (!fits(this.kept, role) || (this.cannotWrite && !fits('read-write', role))) return lost(role);
    this.cannotWrite = this.doubtful = false;
    return undefined;
  }

  /** Why nobody else may get the session, in which nobody but the server can have changed anything. */
  get lost(): Error | undefined {
    const { reported } = this;
    return this.isKept || !reported ? undefined : lost(reported);
  }

  /** Has it begun as something that it has to stay? */
  get matters(): boolean {
    return this.kept !== 'any';
  }

  private get isKept(): boolean {
    const { reported } = this;
    return !reported || fits(this.kept, reported);
  }

  private get reported(): ServerRole | undefined {
    const { standby, readOnly } = this;
    return standby === undefined || readOnly === undefined ? undefined : { standby, readOnly };
  }
}

async function ask(run: Run, text: string): Promise<ServerRole> {
  const { rows } = (await run(text)) as QueryResult<ServerRole>;
  const [role] = rows;
  // In case somebody has put a parser of their own in the place of that of booleans.
  return { standby: isTrue(role?.standby), readOnly: isTrue(role?.readOnly) };
}

function isTrue(value: unknown): boolean {
  return value === true || value === 't';
}

function lost(role: ServerRole): Error {
  return new Error(`the server is ${described(role)} now`);
}
