import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  Inject,
  Injectable,
  Query,
  Req,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Observable, map } from 'rxjs';
import {
  Borrow,
  BorrowScopes,
  Borrowed,
  InjectBorrowed,
  PoolModule,
  getBorrowedToken,
} from '../../src/index.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

interface Database {
  readonly tenant: string;
}

interface Seen {
  saw?: Record<string, string>;
}

type Heard = IncomingMessage & Seen & { raw?: IncomingMessage & Seen };

/** Whose database each part of the application was given, as the request remembers it. */
function note(request: Heard, where: string, { tenant }: Database): void {
  const raw = request.raw ?? request;
  (raw.saw ??= {})[where] = tenant;
}
const requestOf = (host: ArgumentsHost): Heard => host.switchToHttp().getRequest<Heard>();

/** Each calls back in the context that was there when it was made, as a driver does that has one connection. */
class Driver {
  private callBack = (call: () => void): void => {
    call();
  };

  attachHere(): void {
    this.callBack = AsyncResource.bind((call: () => void) => {
      call();
    });
  }

  query(done: () => void): void {
    setImmediate(this.callBack, done);
  }
}

@Injectable()
class Repository {
  constructor(@InjectBorrowed('databases') private readonly databases: Borrowed<Database>) {}
  database(): Promise<Database> {
    return this.databases.get();
  }
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest {
  readonly database: Promise<Database>;
  constructor(repository: Repository) {
    this.database = repository.database();
  }
}

@Injectable()
class Guard implements CanActivate {
  constructor(private readonly repository: Repository) {}
  async canActivate(context: ExecutionContext): Promise<boolean> {
    note(requestOf(context), 'guard', await this.repository.database());
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  constructor(private readonly repository: Repository) {}
  async transform(): Promise<Database> {
    return this.repository.database();
  }
}

/** Goes on from another context before the handler, and looks at its database before and after it. */
@Injectable()
class WanderingInterceptor implements NestInterceptor {
  constructor(
    private readonly repository: Repository,
    private readonly driver: Driver,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const looked = this.repository.database().then(database => {
      note(requestOf(context), 'interceptor', database);
    });
    return new Observable(subscriber => {
      this.driver.query(() => {
        const handled = next.handle().pipe(map(value => value as object));
        void looked.then(() => handled.subscribe(subscriber));
      });
    });
  }
}

@Injectable()
class InnerInterceptor implements NestInterceptor {
  constructor(private readonly repository: Repository) {}
  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    note(requestOf(context), 'inner interceptor', await this.repository.database());
    return next.handle();
  }
}

@Injectable()
@Catch()
class Filter implements ExceptionFilter {
  constructor(private readonly repository: Repository) {}
  async catch(error: Error, host: ArgumentsHost): Promise<void> {
    const request = requestOf(host);
    note(request, 'filter', await this.repository.database());
    const response = host.switchToHttp().getResponse<ServerResponse & { raw?: ServerResponse }>();
    const { saw } = request.raw ?? request;
    (response.raw ?? response).end(JSON.stringify({ ...saw, error: error.message }));
  }
}

@Controller()
@UseGuards(Guard)
@UseInterceptors(WanderingInterceptor, InnerInterceptor)
@UseFilters(Filter)
class TenantController {
  constructor(
    private readonly repository: Repository,
    private readonly scopes: BorrowScopes,
  ) {}

  @Get('all')
  async all(
    @Req() request: Heard,
    @Query(Pipe) piped: Database,
    @Borrow('databases') given: Database,
  ): Promise<object> {
    note(request, 'pipe', piped);
    note(request, 'parameter', given);
    note(request, 'handler', await this.repository.database());
    note(request, 'run', await this.scopes.run(() => this.repository.database()));
    return (request.raw ?? request).saw!;
  }

  @Get('failing') failing(): never {
    throw new Error('no');
  }
}

@Controller('scoped')
class ScopedController {
  constructor(@Inject(OfRequest) private readonly own: OfRequest) {}
  @Get() async scoped(@Req() request: Heard): Promise<object> {
    note(request, 'provider', await this.own.database);
    return (request.raw ?? request).saw!;
  }
}

describe.each(PLATFORMS)('a request on %s that goes on in the context of another', platform => {
  let running: RunningApp;
  let driver: Driver;

  beforeEach(async () => {
    driver = new Driver();
    running = await serve(
      platform,
      {
        imports: [
          PoolModule.forRoot({
            log: false,
            pools: [
              {
                name: 'databases',
                maxTotal: 10,
                key: request => String(request.headers['x-tenant']),
                create: ({ key }: { key: unknown }): Database => ({ tenant: String(key) }),
              },
            ],
          }),
        ],
        controllers: [TenantController, ScopedController],
        providers: [
          Repository,
          OfRequest,
          Guard,
          Pipe,
          WanderingInterceptor,
          InnerInterceptor,
          Filter,
          { provide: Driver, useValue: driver },
        ],
      },
      app => {
        foreignMiddleware(app, driver);
      },
    );
  });
  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  const ask = async (path: string, tenant: string): Promise<Record<string, string>> => {
    const response = await fetch(`${running.url}/${path}`, { headers: { 'x-tenant': tenant } });
    return (await response.json()) as Record<string, string>;
  };

  const everywhere = (names: string[], tenant: string): object =>
    Object.fromEntries(names.map(name => [name, tenant]));

  // While the first is still there, and when it is long over.
  it.each(['has all', 'is still there'])('has its own resource everywhere when the other %s', async when => {
    const first = ask(when === 'has all' ? 'all' : 'held', 'first');
    if (when === 'has all') await first;
    const names = [
      ...['later middleware', 'guard', 'interceptor', 'inner interceptor', 'pipe'],
      ...['parameter', 'handler', 'run'],
    ];
    for (const tenant of ['second', 'third']) {
      expect(await ask('all', tenant)).toEqual(everywhere(names, tenant));
    }
    if (when !== 'has all') await ask('release', 'releasing');
    await first;
  });

  it('has its own resource in an exception filter', async () => {
    await ask('all', 'first');
    expect(await ask('failing', 'second')).toMatchObject({ filter: 'second', error: 'no' });
  });

  it('has its own resource in a provider of the request', async () => {
    await ask('all', 'first');
    expect(await ask('scoped', 'second')).toMatchObject({ provider: 'second' });
  });
});

/** The first request makes the driver's connection, whose context all others go on in. */
function foreignMiddleware(app: INestApplication, driver: Driver): void {
  const databases = app.get<Borrowed<Database>>(getBorrowedToken('databases'));
  let first = true;
  let release = (): void => undefined;
  type Next = (error?: unknown) => void;
  app.use((_request: Heard, _response: ServerResponse, next: Next) => {
    if (first) driver.attachHere();
    first = false;
    driver.query(next);
  });
  app.use((request: Heard, response: ServerResponse, next: Next) => {
    databases.get().then(database => {
      note(request, 'later middleware', database);
      if (request.url === '/held') {
        release = () => response.end('{}');
        return;
      }
      if (request.url === '/release') {
        release();
        response.end('{}');
        return;
      }
      next();
    }, next);
  });
}
