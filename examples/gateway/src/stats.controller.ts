import { Controller, Get } from '@nestjs/common';
import { PoolRegistry, type KeyedPoolStats, type PoolStats } from 'nestjs-pool';

@Controller('stats')
export class StatsController {
  constructor(private readonly pools: PoolRegistry) {}

  /** Of the sessions: the connections of each are a pool of its name. */
  @Get()
  stats(): (PoolStats | KeyedPoolStats)[] {
    return this.pools.list().map(pool => pool.stats());
  }
}
