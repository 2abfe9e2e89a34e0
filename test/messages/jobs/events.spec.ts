import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Scope, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UseBorrowScope } from '../../../src/index.js';
import { Thing } from '../../support/borrowing/thing.js';
import { Call } from '../../support/http-client.js';
import { JobBench, Labour } from '../../support/jobs.js';

@Injectable()
class Listeners {
  constructor(protected readonly labour: Labour) {}

  @OnEvent('joins')
  @UseBorrowScope()
  async joins(name: string): Promise<void> {
    await this.labour.do(name);
  }

  @UseBorrowScope({ own: true })
  @OnEvent('apart', { suppressErrors: false })
  async apart(name: string): Promise<void> {
    await this.labour.do(name);
  }
}

@Injectable({ scope: Scope.REQUEST })
class ListenersPerEvent {
  constructor(private readonly labour: Labour) {}

  @OnEvent('per event')
  @UseBorrowScope()
  async perEvent(name: string): Promise<void> {
    await this.labour.do(name);
  }
}

@Controller()
class Orders {
  constructor(
    private readonly labour: Labour,
    private readonly events: EventEmitter2,
  ) {}

  @Get('awaited') async awaited(): Promise<number> {
    this.labour.stage.open('the request');
    const id = await this.labour.do('the request');
    await this.events.emitAsync('joins', 'joined');
    return id;
  }

  @Get('emitted') async emitted(): Promise<number> {
    this.labour.stage.open('the request');
    const id = await this.labour.do('the request');
    this.events.emit('joins', 'joined');
    return id;
  }

  @Get('apart') async apart(): Promise<number> {
    this.labour.stage.open('the request');
    const id = await this.labour.do('the request');
    this.events.emit('apart', 'apart');
    return id;
  }
}

const served = async (root: object, { log }: JobBench): Promise<INestApplication> => {
  const app = await NestFactory.create(root as never, new ExpressAdapter(), {
    logger: log,
    abortOnError: false,
  });
  return app.listen(0, '127.0.0.1').then(() => app);
};

describe('a listener of @nestjs/event-emitter', () => {
  let bench: JobBench;
  let events: EventEmitter2;
  beforeEach(async () => {
    const metadata = {
      imports: [EventEmitterModule.forRoot()],
      providers: [Listeners, ListenersPerEvent],
      controllers: [Orders],
    };
    bench = await JobBench.start(metadata, {}, served);
    events = bench.app.get(EventEmitter2);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  const call = (path: string): Call => {
    const { port } = ((bench.app as INestApplication).getHttpServer() as Server).address() as AddressInfo;
    return new Call(`http://127.0.0.1:${port}/${path}`);
  };

  it.each(['joins', 'apart', 'per event'])(
    'has a scope of its own where nobody has begun one (%s)',
    async event => {
      events.emit(event, 'one');
      events.emit(event, 'two');
      await Promise.all([bench.stage.reached('one'), bench.stage.reached('two')]);
      expect(bench.leased()).toBe(2);
      expect(bench.labour.had.get('one')).not.toBe(bench.labour.had.get('two'));
      bench.stage.open('one', 'two');
      await bench.allBack();
    },
  );

  it('gives back when it fails', async () => {
    bench.stage.open('fails');
    await expect(events.emitAsync('apart', 'fails')).rejects.toThrow('fails');
    expect(bench.leased()).toBe(0);
    expect(Thing.reported).toMatchObject([{ message: 'fails' }]);
  });

  it('joins the request that waits for it', async () => {
    const answer = call('awaited').answer();
    await bench.stage.reached('joined');
    expect(bench.leased()).toBe(1);
    bench.stage.open('joined');
    expect((await answer).status).toBe(200);
    expect(bench.labour.had.get('joined')).toBe(bench.labour.had.get('the request'));
    await bench.allBack();
  });

  it('that nobody waits for keeps the thing of its request until it has settled', async () => {
    const { status } = await call('emitted').answer();
    expect(status).toBe(200);
    await bench.stage.reached('joined');
    expect(bench.leased()).toBe(1);
    expect(bench.labour.had.get('joined')).toBe(bench.labour.had.get('the request'));
    bench.stage.open('joined');
    await bench.allBack();
  });

  it('has its own, of which the request knows nothing, where it is told so', async () => {
    const { status } = await call('apart').answer();
    expect(status).toBe(200);
    await bench.stage.reached('apart');
    expect(bench.labour.had.get('apart')).not.toBe(bench.labour.had.get('the request'));
    // That of the request is back.
    expect(bench.leased()).toBe(1);
    bench.stage.open('apart');
    await bench.allBack();
  });
});
