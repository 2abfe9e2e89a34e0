import { expect } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { Args, Query, Resolver } from '@nestjs/graphql';
import { map, isObservable } from 'rxjs';
import { Borrow, BorrowSignal } from '../../../../src/index.js';
import type { Thing } from '../../../support/borrowing/thing.js';
import { graphqlModule } from '../../../support/graphql-world.js';
import { Call } from '../../../support/http-client.js';
import { serve } from '../../../support/nest-app.js';
import { shared } from '../application.js';
import type { Driver } from '../driver.js';
import { orderOf, type Order } from '../order.js';
import { Caught, SuitePipe, Surrounded, Work } from '../work.js';
import { HttpClient } from './http.js';

const text = (value: unknown): string => JSON.stringify(value ?? null);
const said = async (answer: Promise<unknown>): Promise<unknown> => {
  const value = await answer;
  return isObservable(value) ? value.pipe(map(text)) : text(value);
};

@Resolver()
class Queries {
  constructor(readonly work: Work) {}

  @Query(() => String)
  bare(@Args('order') order: string, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return said(this.work.handle(orderOf(order)!, { thing, signal }));
  }

  @Query(() => String)
  deep(@Args('order') order: string) {
    return said(this.work.handle(orderOf(order)!));
  }

  @Surrounded()
  @Query(() => String)
  surrounded(
    @Args('order', { type: () => String }, SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return said(this.work.handle(order, { thing, signal }));
  }

  @Caught()
  @Query(() => String)
  caught(@Args('order', { type: () => String }, SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return said(this.work.handle(order, { thing }));
  }

  @Query(() => String)
  transacted(@Args('order') order: string, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return said(this.work.handle(orderOf(order)!));
  }

  @Query(() => String)
  keyed(@Args('order') order: string) {
    return said(this.work.keyed(orderOf(order)!));
  }
}

@Injectable()
class Base {
  constructor(readonly work: Work) {}

  @Query(() => String, { name: 'inherited' })
  handler(@Args('order') order: string, @Borrow('things') thing: Thing) {
    return said(this.work.handle(orderOf(order)!, { thing }));
  }

  @Query(() => String)
  renamed(@Args('order') order: string, @Borrow('things') thing: Thing) {
    return said(this.work.handle(orderOf(order)!, { thing }));
  }
}
// As a minifier does.
Object.defineProperty(Base.prototype.renamed, 'name', { value: 'e' });

@Resolver()
class Inherited extends Base {}

@Injectable({ scope: Scope.REQUEST })
@Resolver()
class Scoped {
  constructor(readonly work: Work) {}

  @Surrounded()
  @Query(() => String)
  scoped(@Args('order', { type: () => String }, SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return said(this.work.handle(order, { thing }));
  }
}

interface Answer {
  readonly data?: Readonly<Record<string, string>> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: object }[];
}

export const GRAPHQL: Driver = {
  name: 'GraphQL over HTTP',
  can: ['leaving', 'tells', 'scoped'],
  tellsErrors: true,
  busy: () => ({
    message: 'The service is busy, try again later',
    extensions: { code: 'SERVICE_UNAVAILABLE', retryAfter: expect.any(Number) },
  }),
  told: message => ({ message, extensions: { code: 'INTERNAL_SERVER_ERROR' } }),
  async start(world) {
    const { imports, providers } = shared(world);
    const { app, url, log } = await serve('express', {
      imports: [...imports, graphqlModule({ includeStacktraceInErrorResponses: false })],
      providers: [...providers, Queries, Inherited, Scoped],
    });
    return {
      app,
      log: log.lines,
      connect: async () =>
        new HttpClient(
          (handler, order) =>
            new Call(`${url}/graphql`, {
              method: 'POST',
              body: {
                query: `query($order: String!) { ${handler}(order: $order) }`,
                variables: { order: text(order) },
              },
            }),
          (_status, body, handler) => {
            const { data, errors } = body as Answer;
            const [error] = errors ?? [];
            if (error) return { error: { message: error.message, extensions: error.extensions } };
            return { value: JSON.parse(data?.[handler] ?? 'null') as unknown };
          },
        ),
      close: () => app.close(),
    };
  },
};
