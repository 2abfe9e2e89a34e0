/**
 * Which server a pool wants, as libpq's `target_session_attrs` has it:
 * - `any`: whichever answers
 * - `primary`: none that is in recovery
 * - `standby`: one that is in recovery
 * - `read-write`: a primary on which `default_transaction_read_only` is off
 * - `read-only`: any other
 * - `prefer-standby`: a standby, or any when there is none
 */
export type TargetSessionAttrs =
  'any' | 'primary' | 'standby' | 'read-write' | 'read-only' | 'prefer-standby';

export const TARGETS: readonly unknown[] = [
  'any',
  'primary',
  'standby',
  'read-write',
  'read-only',
  'prefer-standby',
] satisfies TargetSessionAttrs[];

/** What a session must be, and stay. */
export type Wanted = Exclude<TargetSessionAttrs, 'prefer-standby'>;

/** What a server is at this moment, or what it was when it last said so. */
export interface ServerRole {
  readonly standby: boolean;
  /** Is `default_transaction_read_only` on? */
  readonly readOnly: boolean;
}

export function fits(wanted: Wanted, { standby, readOnly }: ServerRole): boolean {
  switch (wanted) {
    case 'any':
      return true;
    case 'primary':
      return !standby;
    case 'standby':
      return standby;
    case 'read-write':
      return !standby && !readOnly;
    case 'read-only':
      return standby || readOnly;
  }
}

/** What a session that has begun like this has to stay. */
export function toBeKept(target: TargetSessionAttrs | undefined, role: ServerRole): Wanted {
  // Who has not said what they want has what they have: what could be written to must not turn into what cannot.
  if (target === undefined) return fits('read-write', role) ? 'read-write' : 'any';
  if (target !== 'prefer-standby') return target;
  return role.standby ? 'standby' : 'any';
}

/** For a message. */
export function described({ standby, readOnly }: ServerRole): string {
  if (standby) return 'a standby';
  return readOnly ? 'a primary that is read-only' : 'a primary';
}

/**
 * Asks the server itself, and not the session, whose `default_transaction_read_only` its borrower, its user or its database
 * can have set for reasons of their own.
 */
export const SERVER_ROLE = `select pg_is_in_recovery() as standby, exists (
  select from pg_settings where name = 'default_transaction_read_only' and setting = 'on'
    and source in ('configuration file', 'command line', 'environment variable', 'override')) as "readOnly"`;

/** For servers that do not report it, which are those before PostgreSQL 14, and some proxies. */
export const SESSION_ROLE = `select pg_is_in_recovery() as standby,
  current_setting('default_transaction_read_only') = 'on' as "readOnly"`;
