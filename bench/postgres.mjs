import { Skipped } from './measure.mjs';

/** The PostgreSQL that comes from npm. */
export async function launchPostgres() {
  const { startPostgres } = await import('local-postgres');
  try {
    return await startPostgres();
  } catch (error) {
    throw new Skipped(`needs PostgreSQL, which there is not for this system: ${error.message}`);
  }
}
