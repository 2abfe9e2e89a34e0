import { Database } from './database.js';
import { LocalDatabase } from './local-database.js';

/**
 * PostgreSQL, unless told otherwise by name or by the scheme of the URL. What only MariaDB needs is loaded for it alone.
 *
 * @param name `postgres` or `mariadb`
 * @param url of a database that runs already; without it, one of the shop's own is started
 */
export async function chosenDatabase(name = '', url = ''): Promise<Database> {
  if (!/^(|postgres|mariadb)$/.test(name)) {
    throw new Error(`DATABASE is "${name}"; it must be postgres or mariadb`);
  }
  const isOfMariadb = /^(mysql|mariadb):/i.test(url);
  if (name !== '' && url !== '' && isOfMariadb !== (name === 'mariadb')) {
    throw new Error(`DATABASE is ${name}, but DATABASE_URL is that of another kind of database`);
  }
  if (isOfMariadb || name === 'mariadb') {
    const { MariadbDatabase } = await import('../mariadb/mariadb-database.js');
    if (url !== '') return new MariadbDatabase(url);
    const { LocalMariadbDatabase } = await import('../mariadb/local-mariadb-database.js');
    return LocalMariadbDatabase.start();
  }
  return url !== '' ? new Database(url) : LocalDatabase.start();
}
