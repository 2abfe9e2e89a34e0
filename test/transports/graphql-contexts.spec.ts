import { afterEach, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PoolModule } from '../../src/index.js';
import {
  Driver,
  InnerInterceptor,
  Tenants,
  WanderingInterceptor,
  graphqlModule,
} from '../support/graphql-world.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

/** Context functions as applications have them: they get the request of the platform. */
const CONTEXTS: Readonly<Record<string, ((...args: never[]) => unknown) | undefined>> = {
  'of Nest’s own': undefined,
  'with the request under another name': (first: object) => ({
    incoming: 'req' in first ? first.req : first,
  }),
  'with the response alone': (first: object, second: unknown) => ({
    answer: 'res' in first ? first.res : second,
  }),
  'with nothing of the request': () => ({}),
  'that is the request': (first: object) => ('req' in first ? first.req : first),
};

describe.each(PLATFORMS)('GraphQL on %s, of several tenants', platform => {
  let running: RunningApp;

  const start = async (context: unknown, foreign: boolean): Promise<void> => {
    const driver = new Driver();
    running = await serve(
      platform,
      {
        imports: [
          graphqlModule({ ...(context !== undefined && { context: context as never }) }),
          PoolModule.forRoot({
            log: false,
            pools: [
              {
                name: 'databases',
                maxTotal: 10,
                key: request => String(request.headers['x-tenant']),
                create: ({ key }: { key: unknown }) => ({ tenant: String(key) }),
              },
            ],
          }),
        ],
        providers: [Tenants, WanderingInterceptor, InnerInterceptor, { provide: Driver, useValue: driver }],
      },
      app => {
        // The first request makes the driver's connection, whose context all others go on in.
        if (foreign) {
          app.use((_: IncomingMessage, __: ServerResponse, next: () => void) => {
            driver.query(next);
          });
        }
      },
    );
  };
  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  const ask = async (
    tenant: string,
    query = '{ deep byParameter }',
  ): Promise<{ data: unknown; errors?: { message: string }[] }> => {
    const call = new Call(`${running.url}/graphql`, {
      method: 'POST',
      headers: { 'x-tenant': tenant, 'content-type': 'application/json' },
      body: { query },
    });
    return JSON.parse((await call.answer()).body) as { data: unknown };
  };

  it('finds its own database by its context value, whatever context an interceptor goes on in', async () => {
    await start(undefined, false);
    for (const tenant of ['first', 'second', 'third']) {
      expect(await ask(tenant, '{ wandering }')).toEqual({ data: { wandering: `${tenant} ${tenant}` } });
    }
  });

  describe.each([false, true])('whose requests go on in the context of another: %s', foreign => {
    it.each(Object.keys(CONTEXTS))('each has its own database with a context value %s', async name => {
      await start(CONTEXTS[name], foreign);
      for (const tenant of ['first', 'second', 'third']) {
        expect(await ask(tenant)).toEqual({ data: { deep: tenant, byParameter: tenant } });
      }
    });
  });
});
