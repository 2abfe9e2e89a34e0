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
  /** Of what is this package's own. */
  readonly own: Attributes;
}

export function attributesOf(pool: AnyPool<unknown>): PoolAttributes {
  const target = pool.target ?? {};
  const common = known(target);
  const own = spanAttributes(pool, target);
  const database = target.system !== undefined;
  return { database, own, shaped: database ? { [ATTRIBUTES.databasePool]: pool.name, ...common } : own };
}

/** What a span has: of a pool by key also where that key's resources lead to. Nobody counts spans by their attributes. */
export function spanAttributes(pool: AnyPool<unknown>, target: ResourceTarget | undefined): Attributes {
  return { [ATTRIBUTES.pool]: pool.name, ...known(target ?? {}) };
}

function known({ system, namespace, host, port }: ResourceTarget): Attributes {
  return {
    ...(system !== undefined && { [ATTRIBUTES.system]: system }),
    ...(namespace !== undefined && { [ATTRIBUTES.namespace]: namespace }),
    ...(host !== undefined && { [ATTRIBUTES.host]: host }),
    ...(port !== undefined && { [ATTRIBUTES.port]: port }),
  };
}
