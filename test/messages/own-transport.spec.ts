import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Catch, Controller, UseFilters, type ExceptionFilter, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { from, isObservable, lastValueFrom, type Observable } from 'rxjs';
import { Facade } from '../support/borrowing/services.js';
import { Thing } from '../support/borrowing/thing.js';
import { jobModule } from '../support/jobs.js';
import { LogBook, forgetLoggers } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

/** Calls handlers as it likes. */
class OwnTransport extends Server implements CustomTransportStrategy {
  override listen(done: () => void): void {
    done();
  }
  override close(): void {
    // It has nothing open.
  }
  override on(): void {
    // It has no events.
  }
  override unwrap(): never {
    throw new Error('there is nothing in it');
  }
  async call(pattern: string, ...args: unknown[]): Promise<unknown> {
    const handler = this.getHandlerByPattern(pattern) as unknown as (...all: unknown[]) => Promise<unknown>;
    const answer = await handler(...args);
    return isObservable(answer) ? lastValueFrom(answer) : answer;
  }
}

@Catch()
class Answering implements ExceptionFilter {
  constructor(private readonly facade: Facade) {}
  catch(): Observable<number> {
    return from(this.facade.get().then(thing => thing.use()));
  }
}

@Controller()
class Handlers {
  constructor(private readonly facade: Facade) {}
  @UseFilters(Answering)
  @MessagePattern('fails')
  async fails(): Promise<never> {
    throw new Error(`${(await this.facade.get()).use()}`);
  }
}

describe('a transport of the application’s own', () => {
  const transport = new OwnTransport();
  let app: INestApplication;
  beforeEach(async () => {
    Thing.startCounting();
    const root = {
      module: class {},
      ...jobModule(new Stage(), { controllers: [Handlers], providers: [Answering] }, { max: 1 }),
    };
    app = await NestFactory.create(root, { logger: new LogBook(), abortOnError: false });
    app.connectMicroservice({ strategy: transport });
    await app.startAllMicroservices();
  });
  afterEach(async () => {
    await app.close();
    forgetLoggers();
    expect(Thing.usedTooLate + Thing.lentTwice).toBe(0);
  });

  it.each([
    ['nothing', []],
    ['data', ['data']],
    ['undefined', [undefined]],
    ['null, and no context', [null, null]],
  ])('that hands a handler %s has its filter in the scope of the message', async (_, args) => {
    expect(await transport.call('fails', ...args)).toBe(1);
    expect(await Promise.all([transport.call('fails', ...args), transport.call('fails', ...args)])).toEqual([
      1, 1,
    ]);
  });
});
