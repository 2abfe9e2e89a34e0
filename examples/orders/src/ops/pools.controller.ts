import { Controller, Get } from '@nestjs/common';
import { PoolRegistry, type KeyedPoolStats, type PoolStats } from 'nestjs-pool';

@Controller('pools')
export class PoolsController {
  constructor(private readonly pools: PoolRegistry) {}

  @Get()
  stats(): (PoolStats | KeyedPoolStats)[] {
    return this.pools.list().map(pool => pool.stats());
  }
}
