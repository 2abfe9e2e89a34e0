import { Inject } from '@nestjs/common';
import type { Borrowed } from '../scope/index.js';
import type { KeyOf, PoolName, PoolOf, ResourceOf, TypedParameterDecorator } from './pools.js';
import { getBorrowedToken, getPoolToken } from './tokens.js';

/** Injects a pool: `constructor(@InjectPool('renderer') private readonly renderers: Pool<Browser>) {}`. */
export function InjectPool<N extends PoolName>(name: N): TypedParameterDecorator<N, PoolOf<N>> {
  return Inject(getPoolToken(name));
}

/**
 * Injects access to the resource of the current request:
 * `constructor(@InjectBorrowed('orders-db') private readonly db: Borrowed<Client>) {}`. The provider stays a singleton;
 * `await this.db.get()` gives the request's own connection, the same one everywhere in the request. Of a keyed pool it
 * is the one for the key that the pool's `key` rule finds in the request, or for that of `get({ key })`.
 */
export function InjectBorrowed<N extends PoolName>(
  name: N,
): TypedParameterDecorator<N, Borrowed<ResourceOf<N>, KeyOf<N>>> {
  return Inject(getBorrowedToken(name));
}
