import { Controller, Get } from '@nestjs/common';
import { InjectPool, Pool, type PoolStats } from 'nestjs-pool';
import type { Client } from 'pg';

/** For whoever runs it: what messages and queries have of the pool at this moment. */
@Controller('pool')
export class StatsController {
  constructor(@InjectPool('chat-db') private readonly pool: Pool<Client>) {}

  @Get()
  stats(): PoolStats {
    return this.pool.stats();
  }
}
