import mysql, { type RowDataPacket } from 'mysql2/promise';
import { SCHEMA } from '../database/schema.js';
import { CREATE_SCHEMA, SEED } from './mariadb-schema.js';

const COUNT = 'select count(*) from orders';

/** As `prepareDatabase()` does for PostgreSQL. */
export async function prepareMariadb(url: string): Promise<string> {
  const db = await mysql.createConnection({ uri: url, connectTimeout: 5_000, multipleStatements: true });
  // The query that fails tells; without a listener the event would end the process.
  db.on('error', () => undefined);
  try {
    const version = await ask(db, 'select version()');
    if (!/mariadb/i.test(version)) throw new Error(`the server is ${version}, and not a MariaDB`);
    // Two instances may start at the same time. The lock goes with the connection, as a statement that creates a table
    // ends every transaction.
    const locked = await ask(db, `select get_lock('${SCHEMA}', 10)`);
    if (locked !== '1') throw new Error('another instance has not finished preparing it');
    await db.query(CREATE_SCHEMA);
    await db.query('begin');
    const isEmpty = (await ask(db, COUNT)) === '0';
    if (isEmpty) await db.query(SEED);
    const found = isEmpty ? `now filled with ${await ask(db, COUNT)} orders` : 'which has orders already';
    await db.query('commit');
    const { host, port } = db.config;
    return `MariaDB at ${host}:${port}, database ${SCHEMA}, ${found}`;
  } finally {
    await db.end();
  }
}

/** For one value. */
async function ask(db: mysql.Connection, text: string): Promise<string> {
  const [rows] = await db.query<[string | number][] & RowDataPacket[][]>({ sql: text, rowsAsArray: true });
  return String(rows[0]?.[0]);
}
