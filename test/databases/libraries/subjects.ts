import pg, { type Client } from 'pg';
import { Pool } from '../../../src/engine/index.js';
import { pgFacade, pgPool } from '../../../src/resources/pg.js';
import type { PostgresWatch } from '../../support/postgres.js';

/** At most so many connections, whoever lends them. */
export const MAX = 3;

/** A pool as libraries take it, and what can be seen of it from outside. */
export interface Subject {
  readonly pool: pg.Pool;
  /** The pool behind it, where it is one of ours. */
  readonly ours: Pool<Client> | undefined;
  idle(): number;
  /** Connections that somebody has, and those who wait for one. */
  busy(): number;
  close(): Promise<void>;
}

type Config = PostgresWatch['config'];

/** pg's own pool: what the libraries were written for. */
function theirs(config: Config): Subject {
  const pool = new pg.Pool({ ...config, max: MAX });
  // Without these two a connection that breaks would end the process.
  pool.on('error', () => {});
  pool.on('connect', client => client.on('error', () => {}));
  return {
    pool,
    ours: undefined,
    idle: () => pool.idleCount,
    busy: () => pool.totalCount - pool.idleCount + pool.waitingCount,
    close: async () => {
      if (!pool.ended) await pool.end();
    },
  };
}

/** A pool of ours, which has to do without listeners. */
function ours(config: Config): Subject {
  const pool = new Pool(pgPool({ ...config, max: MAX }));
  return {
    pool: pgFacade(pool),
    ours: pool,
    idle: () => pool.stats().idle,
    busy: () => {
      const { leased, resetting, waiting } = pool.stats();
      return leased + resetting + waiting;
    },
    close: () => pool.close({ timeout: 0 }),
  };
}

export const SUBJECTS = [
  { kind: 'pg.Pool', open: theirs },
  { kind: 'the facade', open: ours },
] as const;
