// What the compiler must know of HTTP sessions; checked by `npm run typecheck`, never run.
import { expectTypeOf } from 'expect-type';
import type { Dispatcher, Response } from 'undici';
import {
  HttpSession,
  HttpSessionModule,
  InjectHttp,
  httpPool,
  type HttpConnection,
  type HttpTimeoutError,
} from '../../src/http/index.js';
import { KeyedPool, type KeyedPoolStats, type PoolStats } from '../../src/index.js';

const session = new HttpSession({ baseUrl: new URL('https://x'), timeouts: { total: 1_000 }, max: 5 });

expectTypeOf(session.fetch('/')).toEqualTypeOf<Promise<Response>>();
expectTypeOf(session.request('/')).toEqualTypeOf<Promise<Dispatcher.ResponseData>>();
expectTypeOf(session.request('/', { opaque: 7 })).toEqualTypeOf<Promise<Dispatcher.ResponseData<number>>>();
expectTypeOf(session.stats()).toEqualTypeOf<KeyedPoolStats>();
expectTypeOf(session.stats('https://x')).toEqualTypeOf<PoolStats | undefined>();
expectTypeOf(new KeyedPool<string, HttpConnection>(httpPool())).toEqualTypeOf(session.pool);
expectTypeOf<HttpTimeoutError['phase']>().toEqualTypeOf<'connect' | 'headers' | 'body' | 'total'>();

void session.fetch(new Request('https://x'), {
  priority: 'high',
  timeouts: { body: Infinity },
  acquireTimeout: 5,
});
void session.request('/', { method: 'POST', body: 'x', idempotent: true, query: { a: 1 } });

// @ts-expect-error -- connections are made for all requests alike
void session.fetch('/', { timeouts: { connect: 1 } });
// @ts-expect-error -- its own connections are what a session is for
void session.fetch('/', { dispatcher: session.dispatcher });
// @ts-expect-error -- no such priority
void session.request('/', { priority: 'urgent' });
// @ts-expect-error -- a key goes when it is idle
new HttpSession({ min: 1 });
// @ts-expect-error -- a session has a name
HttpSessionModule.forFeature([{ baseUrl: 'https://x' }]);

HttpSessionModule.forRoot({
  sessions: [
    { name: 'a', baseUrl: 'https://a' },
    { name: 'b', inject: ['URL'], useFactory: (baseUrl: string) => ({ baseUrl }) },
  ],
});

export class Right {
  constructor(@InjectHttp('a') readonly a: HttpSession) {}
}
