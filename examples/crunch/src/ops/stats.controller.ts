import { Controller, Get } from '@nestjs/common';
import { InjectPool, type Pool, type PoolStats } from 'nestjs-pool';
import type { Cruncher } from '../workers/workers.module.js';

@Controller('stats')
export class StatsController {
  constructor(@InjectPool('crunch') private readonly pool: Pool<Cruncher>) {}

  @Get()
  stats(): PoolStats {
    return this.pool.stats();
  }
}
