/**
 * What the server reports of its session unasked, each time that it changes: TimeZone, DateStyle, application_name,
 * session_authorization and so on, since PostgreSQL 18 search_path, too. It tells of changes that no text shows, made by a
 * trigger or within a function.
 */
export class ReportedParameters {
  private readonly now = new Map<string, string>();
  private clean: ReadonlyMap<string, string> = this.now;
  private readonly different = new Set<string>();

  /** The server reports a parameter. */
  told(parameter: string, value: string): void {
    this.now.set(parameter, value);
    // The server's own state, which nobody can set.
    if (this.clean === this.now || parameter === 'in_hot_standby') return;
    if (this.clean.get(parameter) === value) this.different.delete(parameter);
    else this.different.add(parameter);
  }

  /** As they are now they are to be: the session has begun, or has just been reset. */
  begin(): void {
    this.clean = new Map(this.now);
    this.different.clear();
  }

  /** Is any of them not as it was? */
  get changed(): boolean {
    return this.different.size > 0;
  }
}
