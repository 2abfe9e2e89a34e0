import type { Client, Pool as PgPoolType } from 'pg';
import pg from 'pg';
import type { Pool } from '../../engine/index.js';
import { checkPool } from '../common/check-pool.js';
import { anotherOf, makeFacade, type PgFacadeOptions } from './facade.js';
import { listen } from './listen.js';

/** The package pg as TypeORM takes it for its option `driver`. */
export type TypeormDriver = Omit<typeof pg, 'native'>;

/** See {@link TypeormDriver}; `native` is left out, which TypeORM would prefer where it is installed. */
export function makeTypeormDriver(pool: Pool<Client> | PgPoolType, options: PgFacadeOptions): TypeormDriver {
  const make = makerOf(pool);

  // Another facade each time: a data source ends its own, and may be initialized again.
  function FacadePool(): object {
    return make(options);
  }
  return { ...pg, Pool: FacadePool as unknown as typeof pg.Pool };
}

function makerOf(pool: Pool<Client> | PgPoolType): (options: PgFacadeOptions) => PgPoolType {
  const another = anotherOf(pool);
  if (another) return another;
  checkPool(pool, 'typeormDriver()');
  return options => makeFacade(pool as Pool<Client>, options);
}

/** What a statement of pg-boss gives. */
interface Rows {
  // As pg-boss has it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  rows: any[];
}

/** What pg-boss takes for its option `db`: its `IDatabase`. */
export interface PgBossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<Rows>;
  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<{ close(): Promise<void> }>;
  beginTransaction(): Promise<PgBossTransaction>;
  poolCounts(): { max: number; total: number; idle: number; waiting: number };
}

/** What pg-boss takes for a transaction of its own: its `TransactionHandle`. */
export interface PgBossTransaction {
  readonly db: Pick<PgBossDatabase, 'executeSql'>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export function makePgBossDatabase(pool: Pool<Client>): PgBossDatabase {
  checkPool(pool, 'pgBossDatabase()');
  return {
    executeSql: (text, values) => pool.use(client => client.query(text, values)),
    listen: async (channel, onNotification, onReconnect) => {
      const handler = ({ payload }: { payload: string }): void => {
        onNotification(payload);
      };
      const subscription = await listen(pool, channel, handler, { onRestored: onReconnect });
      onReconnect();
      return subscription;
    },
    beginTransaction: () => begin(pool),
    poolCounts: () => {
      const { limits, census, waiters } = pool.self.inside;
      return { max: limits.max, total: census.alive, idle: census.idle, waiting: waiters.length };
    },
  };
}

async function begin(pool: Pool<Client>): Promise<PgBossTransaction> {
  const lease = await pool.acquire();
  const { resource: client } = lease;
  const run = async (text: string): Promise<string> => {
    try {
      return (await client.query(text)).command;
    } catch (error) {
      lease.release(error);
      throw error;
    }
  };
  await run('BEGIN');
  return {
    db: { executeSql: (text, values) => client.query(text, values) },
    async commit() {
      const done = await run('COMMIT');
      lease.release();
      // The server's answer to the COMMIT of what has failed.
      if (done === 'ROLLBACK')
        throw new Error('There was nothing to commit: a statement of the transaction has failed.');
    },
    async rollback() {
      // The reset of the connection rolls back what is open, or else the connection is destroyed.
      lease.release();
      await lease.finished;
    },
  };
}
