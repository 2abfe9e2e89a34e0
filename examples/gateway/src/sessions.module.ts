import { Module, type DynamicModule } from '@nestjs/common';
import { HttpSessionModule } from 'nestjs-pool/http';
import { interceptors } from 'undici';

export interface Upstreams {
  readonly catalogUrl: string;
  readonly pricesUrl: string;
  /** Milliseconds that a request for prices has for everything. */
  readonly pricesTimeout: number;
}

const headers = { accept: 'application/json', 'user-agent': 'gateway' };

/** The sessions, and how much each may have: what one of them waits for takes nothing from the others. */
@Module({})
export class SessionsModule {
  static with({ catalogUrl, pricesUrl, pricesTimeout }: Upstreams): DynamicModule {
    return {
      module: SessionsModule,
      imports: [
        HttpSessionModule.forRoot({
          sessions: [
            {
              name: 'catalog',
              baseUrl: catalogUrl,
              headers,
              max: 10,
              // Who comes when so many wait is told so at once: 503 with Retry-After.
              maxWaiting: 50,
              timeouts: { connect: 1_000, total: 2_000 },
            },
            {
              // To the catalog as well, but they take minutes: products must not queue behind them.
              name: 'downloads',
              baseUrl: catalogUrl,
              headers: { ...headers, accept: 'text/csv' },
              max: 4,
              maxWaiting: 4,
              // `body` counts also while the client reads nothing, and one that is slow takes megabytes at a time, from what
              // the system has buffered, with minutes in between.
              timeouts: { connect: 1_000, headers: 2_000, body: 300_000 },
            },
            {
              name: 'prices',
              baseUrl: pricesUrl,
              headers,
              max: 10,
              maxWaiting: 50,
              timeouts: { connect: 250, total: pricesTimeout },
              interceptors: [
                interceptors.retry({
                  // Its default has PUT and DELETE as well.
                  methods: ['GET'],
                  statusCodes: [502, 503, 504],
                  // An answer that breaks off would be continued with Range, perhaps from another version of it.
                  errorCodes: [],
                  maxRetries: 2,
                  minTimeout: 20,
                  // Also where the upstream asks for a longer pause (Retry-After): the price is not to be waited for.
                  maxTimeout: 100,
                }),
              ],
            },
          ],
        }),
      ],
    };
  }
}
