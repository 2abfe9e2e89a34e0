import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  ForbiddenException,
  Get,
  Injectable,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { LocalPostgres } from 'local-postgres';
import type pg from 'pg';
import type { Client } from 'pg';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  Transactional,
  getPoolToken,
  type Pool,
} from '../../../src/index.js';
import { InjectPgPool, PgPoolModule, pgPool } from '../../../src/pg/index.js';
import { assertNoLeases } from '../../../src/testing/index.js';
import { Call, type Answer } from '../../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../../support/nest-app.js';
import { PostgresWatch, launchPostgres } from '../../support/postgres.js';
import { TENANT_NOTES } from '../../support/tenant-notes.js';

async function bodies(db: Pick<Client, 'query'>): Promise<string> {
  const { rows } = await db.query<{ body: string }>('select body from notes order by body');
  return rows.map(({ body }) => body).join();
}

@Injectable()
class Notes {
  constructor(
    @InjectBorrowed('db') private readonly db: Borrowed<Client>,
    @InjectPgPool('db') private readonly facade: pg.Pool,
  ) {}

  async all(): Promise<string> {
    return bodies(await this.db.get());
  }

  @Transactional('db') async inTransaction(): Promise<string> {
    return this.all();
  }

  byFacade(): Promise<string> {
    return bodies(this.facade);
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Get('parameter') parameter(@Borrow('db') client: Client): Promise<string> {
    return bodies(client);
  }

  @Get('transaction') transaction(@Borrow('db', { transaction: true }) client: Client): Promise<string> {
    return bodies(client);
  }

  @Get('get') get(): Promise<string> {
    return this.notes.all();
  }

  @Get('transactional') transactional(): Promise<string> {
    return this.notes.inTransaction();
  }

  @Get('facade') facade(): Promise<string> {
    return this.notes.byFacade();
  }
}

const PATHS = ['parameter', 'transaction', 'get', 'transactional'];
const REFUSALS: Readonly<Record<string, () => Error>> = {
  nobody: () => new UnauthorizedException('who are you?'),
  blocked: () => new ForbiddenException('not you'),
  closed: () => new ServiceUnavailableException('not now'),
};

interface TenantRequest {
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
}

describe.each(PLATFORMS)('session hooks in a Nest application on %s', platform => {
  let server: LocalPostgres;
  let watch: PostgresWatch;
  let running: RunningApp;
  let pool: Pool<Client>;
  const returned: string[] = [];

  beforeAll(async () => {
    server = await launchPostgres();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    watch = await PostgresWatch.open(server);
    await watch.sql(TENANT_NOTES);
    returned.splice(0);
    const db = pgPool({
      ...watch.config,
      max: 2,
      onBorrow: async (client, { request }) => {
        const tenant = (request as TenantRequest | undefined)?.headers['x-tenant'] ?? '';
        const refusal = REFUSALS[String(tenant)];
        await client.query('set role app_user');
        await client.query("select set_config('app.tenant', $1, false)", [tenant]);
        if (refusal) throw refusal();
      },
      onReturn: (_client, outcome, { request }) => {
        returned.push(`${(request as TenantRequest | undefined)?.url ?? 'no request'} ${outcome}`);
      },
    });
    running = await serve(platform, {
      imports: [PoolModule.forRoot({ pools: [{ ...db, name: 'db' }] }), PgPoolModule.forFeature(['db'])],
      controllers: [NotesController],
      providers: [Notes],
    });
    pool = running.app.get<Pool<Client>>(getPoolToken('db'), { strict: false });
  });
  afterEach(async () => {
    await assertNoLeases(pool);
    await running.app.close();
    forgetLoggers();
    await watch.untilBackends(0);
    await watch[Symbol.asyncDispose]();
  });

  const get = (path: string, tenant?: string): Promise<Answer> =>
    new Call(
      `${running.url}/${path}`,
      tenant === undefined ? {} : { headers: { 'x-tenant': tenant } },
    ).answer();

  it('show each request the rows of its tenant alone, however it borrows', async () => {
    const expected = { red: 'r1,r2', blue: 'b1', '': '' };
    const wanted = Array.from({ length: 48 }, (_, i) => ({
      path: PATHS[i % PATHS.length]!,
      tenant: (['red', 'blue', ''] as const)[i % 3]!,
    }));
    const answers = await Promise.all(wanted.map(({ path, tenant }) => get(path, tenant)));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      wanted.map(({ tenant }) => [200, expected[tenant]]),
    );
    await assertNoLeases(pool);
    expect(new Set(returned)).toEqual(new Set(PATHS.map(path => `/${path} success`)));
    expect(pool.stats().totals).toMatchObject({ acquired: 48, destroyed: 0 });
  });

  it('are told of no request by a scope without one, nor by a facade, which shows no rows of any tenant then', async () => {
    const notes = running.app.get(Notes, { strict: false });
    const scopes = running.app.get(BorrowScopes, { strict: false });
    expect(await scopes.run(() => notes.all())).toBe('');
    expect(await notes.inTransaction()).toBe('');
    expect(await get('facade', 'red')).toMatchObject({ status: 200, body: '' });
    await assertNoLeases(pool);
    expect(returned).toEqual(Array.from({ length: 3 }, () => 'no request success'));
  });

  it('answer with the status of the HttpException that onBorrow throws, and keep the connection', async () => {
    const statuses = { nobody: 401, blocked: 403, closed: 503 };
    for (const [tenant, status] of Object.entries(statuses)) {
      for (const path of PATHS) {
        const answer = await get(path, tenant);
        expect(answer.status).toBe(status);
        expect(JSON.parse(answer.body)).toMatchObject({ message: REFUSALS[tenant]!().message });
      }
    }
    expect(await get('get', 'blue')).toMatchObject({ status: 200, body: 'b1' });
    await assertNoLeases(pool);
    expect(pool.stats().totals).toMatchObject({ destroyed: 0, acquired: 1 });
    expect(new Set(returned)).toEqual(new Set([...PATHS.map(path => `/${path} error`), '/get success']));
  });
});
