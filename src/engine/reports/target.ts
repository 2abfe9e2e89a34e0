/** What the resources of a pool are connections to, for metrics and traces. Everybody may see it: no secret belongs here. */
export interface ResourceTarget {
  /** Which database system, as OpenTelemetry's `db.system.name` has it, e.g. `postgresql`; undefined for what is none. */
  readonly system?: string | undefined;
  /** The database in it, as `db.namespace` has it. */
  readonly namespace?: string | undefined;
  /** The host, or the path of a socket. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}
