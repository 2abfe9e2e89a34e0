import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron } from '@nestjs/schedule';
import {
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  UseBorrowScope,
  getBorrowedToken,
  getPoolToken,
  type Pool,
} from '../../../src/index.js';
import { forgetLoggers } from '../../support/nest-app.js';
import { codeOf, shownOn } from '../../support/shown-code.js';

const queries: { client: number; text: string }[] = [];

class Client {
  private static made = 0;
  readonly id = ++Client.made;

  query(text: string): Promise<void> {
    queries.push({ client: this.id, text });
    return Promise.resolve();
  }
}

// The code of docs/jobs.md, line by line.

@Injectable()
export class Reports {
  constructor(@InjectBorrowed('orders-db') private readonly db: Borrowed<Client>) {}

  @Cron('0 3 * * *')
  @UseBorrowScope()
  async nightly(): Promise<void> {
    const db = await this.db.get();
    await db.query('refresh materialized view sales');
  }
}

@Module({
  imports: [PoolModule.forRoot({ pools: [{ name: 'orders-db', create: () => new Client(), max: 2 }] })],
  providers: [Reports],
})
class AppModule {}

async function script(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule);
  {
    await using scope = app.get(BorrowScopes).open();
    const db = await scope.get<Client, unknown>(app.get(getBorrowedToken('orders-db')));
    await scope.run(() => app.get(Reports).nightly());
    expect(queries).toEqual([{ client: db.id, text: 'refresh materialized view sales' }]);
  }
  expect(app.get<Pool<Client>>(getPoolToken('orders-db')).stats()).toMatchObject({
    leased: 0,
    totals: { created: 1 },
  });
  await app.close();
}

describe('the page about jobs', () => {
  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  afterAll(forgetLoggers);

  it('shows code that does what it says', async () => {
    await script();
  });

  it('shows this code', async () => {
    const shown = await shownOn('jobs.md');
    expect(shown.length).toBeGreaterThan(0);
    expect(await codeOf(import.meta.url)).toEqual(expect.arrayContaining(shown));
  });
});
