import { Controller, Get, Next, Res, type Type } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable, pipeline } from 'node:stream';
import { Borrower, Given, WAYS } from './services.js';
import { StagedSource } from './sources.js';
import type { Thing } from './thing.js';

/** A response as Express gives it, or as Fastify does, around Node's own. */
type Answer = ServerResponse & { raw?: ServerResponse; send(body: unknown): unknown };

const nodes = (response: Answer): ServerResponse => response.raw ?? response;

/** Handlers that answer by themselves. */
export const byHandControllers = WAYS.map((way): Type => {
  @Controller(way)
  class ByHand extends Borrower {
    @Get('by-hand')
    async byHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<void> {
      const thing = await this.thing(given);
      const raw = nodes(response);
      raw.writeHead(200);
      raw.write('begun');
      void this.stage.pass('by-hand').then(() => {
        if (!raw.destroyed) thing.use();
        raw.end('done');
      });
    }

    @Get('sent-by-hand')
    async sentByHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<void> {
      const thing = await this.thing(given);
      void this.stage.pass('by-hand').then(() => response.send({ id: thing.use() }));
    }

    @Get('big-by-hand')
    async bigByHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<void> {
      await this.thing(given);
      nodes(response).end('x'.repeat(20_000_000));
    }

    /** Returns a stream that Nest has nothing to do with. */
    @Get('stream-by-hand')
    async streamByHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<Readable> {
      const thing = await this.thing(given);
      const raw = nodes(response);
      raw.write('begun');
      const source = Readable.from(['read']).resume();
      source.once('close', () => {
        void this.stage.pass('by-hand').then(() => {
          thing.use();
          raw.end('done');
        });
      });
      return source;
    }

    @Get('piped-by-hand')
    async pipedByHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<void> {
      (await this.source(given)).pipe(nodes(response));
    }

    @Get('pipeline-by-hand')
    async pipelineByHand(@Res() response: Answer, @Given(way) given?: Thing): Promise<void> {
      pipeline(await this.source(given), nodes(response), () => undefined);
    }

    private async source(given?: Thing): Promise<Readable> {
      return new StagedSource({ stage: this.stage, thing: await this.thing(given), failsAt: NaN });
    }

    @Get('never')
    async never(@Res() _response: Answer, @Given(way) given?: Thing): Promise<void> {
      (await this.thing(given)).use();
      this.stage.note('left alone');
    }

    @Get('throw-by-hand')
    async throwByHand(@Res() _response: Answer, @Given(way) given?: Thing): Promise<void> {
      (await this.thing(given)).use();
      throw new Error('from the handler');
    }
  }
  return ByHand;
});

/** On Express a handler can go on to the next. */
export const nextControllers = WAYS.map((way): Type => {
  @Controller(way)
  class GoingOn extends Borrower {
    @Get(['next', 'next-to-nobody'])
    async next(@Next() next: () => void, @Given(way) given?: Thing): Promise<void> {
      (await this.thing(given)).use();
      await this.stage.pass('handler');
      next();
    }

    @Get('next')
    async goOn(@Given(way) given?: Thing): Promise<object> {
      return { id: (await this.thing(given)).use() };
    }
  }
  return GoingOn;
});
