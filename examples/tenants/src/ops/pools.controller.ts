import { Controller, Get } from '@nestjs/common';
import { InjectPool, KeyedPool, type KeyedPoolStats, type PoolStats } from 'nestjs-pool';
import type { Client } from 'pg';
import { TENANTS } from '../tenants/tenant.js';

/** For whoever runs it: what each tenant holds. */
@Controller('pools')
export class PoolsController {
  constructor(@InjectPool('tenants') private readonly pool: KeyedPool<string, Client>) {}

  @Get()
  stats(): { all: KeyedPoolStats; tenants: Record<string, PoolStats | undefined> } {
    const tenants = Object.fromEntries(TENANTS.map(tenant => [tenant, this.pool.stats(tenant)]));
    return { all: this.pool.stats(), tenants };
  }
}
