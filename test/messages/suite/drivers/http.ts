import { Body, Controller, HttpCode, Injectable, Post, Scope } from '@nestjs/common';
import { Borrow, BorrowSignal } from '../../../../src/index.js';
import type { Thing } from '../../../support/borrowing/thing.js';
import { Call } from '../../../support/http-client.js';
import { serve, type Platform } from '../../../support/nest-app.js';
import { shared } from '../application.js';
import { Reply, type Client, type Driver, type Handler } from '../driver.js';
import type { Order } from '../order.js';
import { Caught, SuitePipe, Surrounded, Work } from '../work.js';

@Controller()
class Routes {
  constructor(readonly work: Work) {}

  @Post('bare')
  bare(@Body() order: Order, @Borrow('things') thing: Thing, @BorrowSignal() signal: AbortSignal) {
    return this.work.handle(order, { thing, signal });
  }

  @Post('deep')
  deep(@Body() order: Order) {
    return this.work.handle(order);
  }

  @Surrounded()
  @Post('surrounded')
  surrounded(
    @Body(SuitePipe) order: Order,
    @Borrow('things') thing: Thing,
    @BorrowSignal() signal: AbortSignal,
  ) {
    return this.work.handle(order, { thing, signal });
  }

  @Caught()
  @Post('caught')
  caught(@Body(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }

  @Post('transacted')
  transacted(@Body() order: Order, @Borrow('ledger', { transaction: true }) _ledger: object) {
    return this.work.handle(order);
  }

  @Post('keyed')
  keyed(@Body() order: Order) {
    return this.work.keyed(order);
  }
}

@Injectable()
class Base {
  constructor(readonly work: Work) {}

  @HttpCode(200)
  @Post('inherited')
  handler(@Body() order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }

  @Post('renamed')
  renamed(@Body() order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }
}
// As a minifier does.
Object.defineProperty(Base.prototype.renamed, 'name', { value: 'e' });

@Controller()
class Inherited extends Base {}

@Controller({ scope: Scope.REQUEST })
class Scoped {
  constructor(readonly work: Work) {}

  @Surrounded()
  @Post('scoped')
  scoped(@Body(SuitePipe) order: Order, @Borrow('things') thing: Thing) {
    return this.work.handle(order, { thing });
  }
}

/** @param read finds the answer in what has come: a value, or an error */
export class HttpClient implements Client {
  private readonly calls = new Set<Call>();

  constructor(
    private readonly call: (handler: Handler, order: Order) => Call,
    private readonly read: (
      status: number,
      body: unknown,
      handler: Handler,
    ) => { value?: unknown; error?: unknown },
  ) {}

  send(handler: Handler, order: Order): Reply {
    const reply = new Reply();
    const call = this.call(handler, order);
    this.calls.add(call);
    void call.answer().then(
      ({ status, body }) => {
        const { value, error } = this.read(status, body === '' ? null : JSON.parse(body), handler);
        if (error !== undefined) reply.fail(error);
        else reply.next(value);
        reply.end();
      },
      () => undefined,
    );
    return reply;
  }

  async tell(): Promise<void> {
    throw new Error('there are no events over HTTP');
  }

  leave(): void {
    for (const call of this.calls) call.leave();
  }

  async close(): Promise<void> {
    this.leave();
  }
}

function driverOn(platform: Platform): Driver {
  return {
    name: `HTTP, ${platform}`,
    can: ['leaving', 'tells', 'scoped'],
    busy: () => ({
      statusCode: 503,
      message: 'The service is busy, try again later',
      error: 'Service Unavailable',
    }),
    told: message => ({ message }),
    async start(world) {
      const { app, url, log } = await serve(platform, {
        ...shared(world),
        controllers: [Routes, Inherited, Scoped],
      });
      return {
        app,
        log: log.lines,
        connect: async () =>
          new HttpClient(
            (handler, order) => new Call(`${url}/${handler}`, { method: 'POST', body: order }),
            (status, body) => (status < 400 ? { value: body } : { error: body }),
          ),
        close: () => app.close(),
      };
    },
  };
}

export const HTTP: readonly Driver[] = [driverOn('express'), driverOn('fastify')];
