import type { Attributes } from '@opentelemetry/api';
import type { ResourceTarget } from '../engine/index.js';
import type { AnyPool } from '../scope/index.js';
import { ATTRIBUTES } from './names.js';

/** What all series of a pool have: as few as there are pools, whatever the keys of a keyed one. */
export interface PoolAttributes {
  /** Is it one of connections to a database? */
  readonly database: boolean;
  /** Of what a convention, or its counterpart of other resources, covers. */
  readonly shaped: Attributes;
  /** Of what is this package's own, spans included. */
  readonly own: Attributes;
}

export function attributesOf(pool: AnyPool<unknown>): PoolAttributes {
  const target = pool.target ?? {};
  const common = known(target);
  const own = { [ATTRIBUTES.pool]: pool.name, ...common };
  const database = target.system !== undefined;
  return { database, own, shaped: database ? { [ATTRIBUTES.databasePool]: pool.name, ...common } : own };
}

function known({ system, namespace, host, port }: ResourceTarget): Attributes {
  return {
    ...(system !== undefined && { [ATTRIBUTES.system]: system }),
    ...(namespace !== undefined && { [ATTRIBUTES.namespace]: namespace }),
    ...(host !== undefined && { [ATTRIBUTES.host]: host }),
    ...(port !== undefined && { [ATTRIBUTES.port]: port }),
  };
}
