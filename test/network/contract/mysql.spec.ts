import { startMariadb, whyNoMariadb, type LocalMariadb } from 'local-mariadb';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { Pool, type PoolSettings } from '../../../src/engine/index.js';
import { mysqlPool } from '../../../src/resources/mysql.js';
import { keepsTheContract } from './contract.js';
import type { Backend } from './subject.js';

const USER = 'contract';

class MariadbBackend implements Backend<Connection> {
  constructor(private readonly local: LocalMariadb) {}

  static async open(): Promise<MariadbBackend> {
    const backend = new MariadbBackend(await startMariadb({ maxConnections: 30 }));
    await backend.look(`create user ${USER}@'127.0.0.1'`);
    await backend.look(`grant all privileges on *.* to ${USER}@'127.0.0.1'`);
    return backend;
  }

  get port(): number {
    return this.local.port;
  }

  pool(port: number, settings: PoolSettings): Pool<Connection> {
    const config = { host: '127.0.0.1', port, user: USER, database: this.local.database };
    return new Pool(mysqlPool({ ...config, ...settings }));
  }

  async session(connection: Connection): Promise<string> {
    const [rows] = await connection.query<RowDataPacket[]>('select connection_id() as id');
    return String(rows[0]!.id);
  }

  slow(connection: Connection, ms: number): Promise<unknown> {
    return connection.query('select sleep(?)', [ms / 1_000]);
  }

  async stain(connection: Connection): Promise<void> {
    await connection.query(`set @stain = 1, session sql_mode = 'ANSI', names latin1`);
    await connection.query('use mysql');
    await connection.query(`select get_lock('stain', 0)`);
    await connection.beginTransaction();
  }

  async isStained(connection: Connection): Promise<boolean> {
    const [rows] = await connection.query<RowDataPacket[]>(
      `select @stain is not null or @@sql_mode like '%ANSI%' or @@character_set_client = 'latin1'
         or database() = 'mysql' or is_used_lock('stain') is not null or @@in_transaction as stained`,
    );
    return Boolean(rows[0]!.stained);
  }

  async sessions(): Promise<string[]> {
    const rows = await this.look(`select id from information_schema.processlist where user = '${USER}'`);
    return rows.map(({ id }) => String(id));
  }

  async running(): Promise<number> {
    const rows = await this.look(
      `select id from information_schema.processlist where user = '${USER}' and info like 'select sleep%'`,
    );
    return rows.length;
  }

  async kill(session: string): Promise<void> {
    await this.look(`KILL ${Number(session)}`);
  }

  stop(): Promise<void> {
    return this.local.stop();
  }

  start(): Promise<void> {
    return this.local.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.local.close();
  }

  private async look(text: string): Promise<RowDataPacket[]> {
    const observer = await mysql.createConnection(this.local.url);
    try {
      return (await observer.query<RowDataPacket[]>(text))[0];
    } finally {
      await observer.end();
    }
  }
}

keepsTheContract({
  name: 'a connection of mysqlPool',
  missing: whyNoMariadb() === undefined ? undefined : 'MariaDB',
  open: () => MariadbBackend.open(),
});
