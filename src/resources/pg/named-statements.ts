import type { Client } from 'pg';
import type { ServerError } from './errors.js';

/** What pg's connection has but its types do not tell. */
export interface Wire extends NodeJS.EventEmitter {
  parsedStatements: Record<string, string | undefined>;
  submittedNamedStatements?: Record<string, string | undefined>;
  sync(): void;
  close(what: { type: 'S'; name: string }): void;
}

/** SQLSTATEs that say that pg and the server are not of one mind about a statement that was prepared by name. */
const DISAGREEMENTS: ReadonlySet<string | undefined> = new Set([
  '0A000', // feature_not_supported: "cached plan must not change result type", when a table has been altered
  '26000', // invalid_sql_statement_name: it was deallocated
  '42P05', // duplicate_prepared_statement
]);

/** pg's record of the statements that the server knows by name. */
export class NamedStatements {
  constructor(
    private readonly client: Client,
    private readonly wire: Wire,
  ) {}

  /** A statement that pg prepared under a name earlier can be sent by its name alone. */
  textOf(name: string): string | undefined {
    return this.wire.parsedStatements[name];
  }

  /** The server has forgotten all of them. */
  clear(): void {
    this.wire.parsedStatements = {};
    this.wire.submittedNamedStatements = {};
  }

  /** A statement has failed: if that was because of its name, both sides forget it, and its next use prepares it anew. */
  failed({ code }: ServerError): void {
    if (!DISAGREEMENTS.has(code)) return;
    // It is called `activeQuery` in older versions of pg, where a warning stands today.
    const client = this.client as { _activeQuery?: unknown; activeQuery?: unknown };
    const active = '_activeQuery' in client ? client._activeQuery : client.activeQuery;
    const name = (active as { name?: unknown } | null | undefined)?.name;
    if (typeof name !== 'string' || name === '') return;
    Reflect.deleteProperty(this.wire.parsedStatements, name);
    if (this.wire.submittedNamedStatements) Reflect.deleteProperty(this.wire.submittedNamedStatements, name);
    // By the protocol, not by SQL: it works in a failed transaction, and also when there is no such statement.
    this.wire.close({ type: 'S', name });
  }
}
