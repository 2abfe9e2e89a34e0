/** The notes of two tenants, and a role that sees those of the tenant that is set. */
export const TENANT_NOTES = `
  drop table if exists notes;
  drop role if exists app_user;
  create role app_user;
  create table notes (tenant text, body text);
  alter table notes enable row level security;
  create policy own on notes using (tenant = current_setting('app.tenant', true));
  grant select on notes to app_user;
  insert into notes values ('red', 'r1'), ('red', 'r2'), ('blue', 'b1')`;
