import { Controller, Get, Param, ParseIntPipe, Post, Query } from '@nestjs/common';
import { InjectPool, Pool } from 'nestjs-pool';
import { Client } from 'pg';
import { LocalDatabase } from '../database/local-database.js';
import { SCHEMA } from '../database/schema.js';

const MINUTE = 60;

/** Three faults, to be told apart on the live page. */
@Controller('faults')
export class FaultsController {
  constructor(
    @InjectPool('orders-db') private readonly pool: Pool<Client>,
    private readonly database: LocalDatabase,
  ) {}

  /** A route that leaks: what it takes from the pool itself, past `@Borrow()`, it has to give back, and forgets to. */
  @Get('leak/:id')
  async leak(@Param('id', ParseIntPipe) id: number): Promise<string> {
    const lease = await this.pool.acquire();
    const { rows } = await lease.resource.query<{ customer: string }>(
      'select customer from orders where id = $1',
      [id],
    );
    return `${rows[0]?.customer ?? 'Nobody'} has a connection less.\n`;
  }

  /** A slow database: somebody has locked the table that everybody needs. */
  @Post('slow')
  async slow(@Query('seconds') seconds = String(MINUTE)): Promise<string> {
    const client = new Client(this.database.url);
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`begin; lock table ${SCHEMA}.orders in access exclusive mode`);
    setTimeout(() => void client.end(), Number(seconds) * 1_000).unref();
    return `The table of orders is locked for ${seconds} s.\n`;
  }

  /** A dead database: the server is stopped. */
  @Post('dead')
  async dead(@Query('seconds') seconds = String(MINUTE)): Promise<string> {
    await this.database.interrupt(Number(seconds) * 1_000);
    return `The database is away for ${seconds} s.\n`;
  }
}
