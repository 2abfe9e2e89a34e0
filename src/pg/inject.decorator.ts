import { Inject } from '@nestjs/common';

/** The injection token of a pool as a `pg.Pool`; what `@InjectPgPool(name)` injects. For `overrideProvider` in tests. */
export function getPgPoolToken(name: string): string {
  return `nestjs-pool-pg:${name}`;
}

/**
 * Injects a pool of `PoolModule` as a `pg.Pool`, which `PgPoolModule.forFeature([name])` provides:
 * `constructor(@InjectPgPool('orders-db') private readonly pool: pg.Pool) {}`.
 */
export function InjectPgPool(name: string): ParameterDecorator & PropertyDecorator {
  return Inject(getPgPoolToken(name));
}
